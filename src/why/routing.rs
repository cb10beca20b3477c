//! Where a namespace sends a packet: its rules and routes, asked as the kernel asks them. Pure.

use std::net::IpAddr;

use crate::model::LinkIndex;
use crate::sys::netlink::{NextHop, Route, RouteKind, RoutingRule, RuleOutcome};

use super::facts::Space;
use super::packet::contains;

/// The kernel's own table of local addresses (linux/rtnetlink.h, `RT_TABLE_LOCAL`).
const LOCAL_TABLE: u32 = 255;
/// `RT_TABLE_MAIN`
const MAIN_TABLE: u32 = 254;

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where it goes.
    pub destination: IpAddr,
    /// Who sends it, as far as that is known.
    pub source: Option<IpAddr>,
    /// The interface it came by.
    pub input: Option<&'a str>,
    /// Its mark.
    pub mark: u32,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Direction<'a> {
    /// To this namespace itself.
    Local,
    /// By that link to the next hop.
    Out {
        /// The link.
        link: LinkIndex,
        /// Whose hardware address is asked for: the router, or the destination itself.
        next: IpAddr,
        /// The route that says so.
        route: &'a Route,
    },
    /// Nowhere: the route says so.
    Refused(&'a Route),
    /// Nowhere: the rule says so.
    RefusedByRule(&'a RoutingRule),
    /// Nowhere: there is no route.
    None,
}

/// An answer, and whether a rule that is not understood might change it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// Where it goes.
    pub direction: Direction<'a>,
    /// Whether that is certain.
    pub certain: bool,
    /// The rule that led to it, where it is not one of the three that are always there.
    pub rule: Option<&'a RoutingRule>,
}

/// Asks a namespace for the way to an address.
pub fn route<'a>(space: &'a Space, question: Question<'_>) -> Answer<'a> {
    if space.is_local(question.destination) {
        return Answer { direction: Direction::Local, certain: true, rule: None };
    }
    let mut certain = true;
    for rule in space.rules.iter().filter(|rule| rule.is_v4 == question.destination.is_ipv4()) {
        match applies(rule, question) {
            Some(true) => {}
            Some(false) => continue,
            None => {
                certain = false;
                continue;
            }
        }
        let special = (!is_usual(rule)).then_some(rule);
        match rule.outcome {
            RuleOutcome::Table { table, suppressed } => {
                let found = in_table(space, question.destination, table);
                let counts =
                    |route: &&Route| suppressed.is_none_or(|bits| u32::from(route.destination.prefix) > bits);
                if let Some(route) = found.filter(counts) {
                    return Answer {
                        direction: direction(route, question.destination),
                        certain,
                        rule: special,
                    };
                }
            }
            RuleOutcome::Blackhole | RuleOutcome::Refuse => {
                return Answer { direction: Direction::RefusedByRule(rule), certain, rule: special };
            }
            RuleOutcome::Other => {}
        }
    }
    if space.rules.is_empty() {
        // Rules that could not be read are taken to be the usual ones.
        let found = in_table(space, question.destination, MAIN_TABLE);
        let direction = found.map_or(Direction::None, |route| direction(route, question.destination));
        return Answer { direction, certain, rule: None };
    }
    Answer { direction: Direction::None, certain, rule: None }
}

/// The address that a namespace puts on what it sends there.
pub fn source_for(space: &Space, direction: &Direction<'_>, destination: IpAddr) -> Option<IpAddr> {
    let Direction::Out { link, next, route } = direction else { return Some(destination) };
    if let Some(preferred) = route.source {
        return Some(preferred);
    }
    let link = space.link(*link)?;
    let fits = |address: IpAddr| address.is_ipv4() == destination.is_ipv4() && !is_link_local_v6(address);
    let near = link.addresses.iter().find(|own| contains(**own, *next) && fits(own.address));
    let own = near.or_else(|| link.addresses.iter().find(|own| fits(own.address)));
    let elsewhere = || {
        let others = space.addresses().map(|(_, own)| own.address);
        others.into_iter().find(|address| fits(*address) && !address.is_loopback())
    };
    own.map(|own| own.address).or_else(elsewhere)
}

fn is_link_local_v6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether a rule takes the packet; none where that cannot be told.
fn applies(rule: &RoutingRule, question: Question<'_>) -> Option<bool> {
    let source = rule.source.map(|network| match question.source {
        Some(source) => Some(contains(network, source)),
        None if network.prefix == 0 => Some(true),
        None => None,
    });
    let destination = rule.destination.map(|network| Some(contains(network, question.destination)));
    let input = rule.input.as_deref().map(|name| match question.input {
        Some(input) => Some(input == name),
        None => Some(name == "lo"),
    });
    let mark = rule.mark.map(|(mark, mask)| Some(question.mark & mask == mark));
    let more = rule.asks_more.then_some(None);
    let all = [source, destination, input, mark, more].into_iter().flatten();
    let mut holds = Some(true);
    for one in all {
        holds = match (holds, one) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), one) => one,
            (None, _) => None,
        };
    }
    if rule.inverted { holds.map(|holds| !holds) } else { holds }
}

/// One of the three that every namespace begins with.
fn is_usual(rule: &RoutingRule) -> bool {
    let asks_nothing = rule.source.is_none()
        && rule.destination.is_none()
        && rule.input.is_none()
        && rule.mark.is_none()
        && !rule.asks_more;
    asks_nothing && matches!(rule.outcome, RuleOutcome::Table { table: 253..=255, .. })
}

/// The narrowest route, and of several the one of the lowest metric. Routes over links that are down do not count.
fn in_table(space: &Space, destination: IpAddr, table: u32) -> Option<&Route> {
    if table == LOCAL_TABLE {
        return None;
    }
    space
        .routes
        .iter()
        .filter(|route| route.table == table && contains(route.destination, destination))
        .filter(|route| is_alive(space, route))
        .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix), route.metric))
}

fn is_alive(space: &Space, route: &Route) -> bool {
    let up = |hop: &NextHop| hop.link.is_none_or(|index| space.link(index).is_none_or(|link| link.up));
    route.next_hops.is_empty() || route.next_hops.iter().any(up)
}

fn direction(route: &Route, destination: IpAddr) -> Direction<'_> {
    match route.kind {
        RouteKind::Unicast => {}
        RouteKind::Local => return Direction::Local,
        _ => return Direction::Refused(route),
    }
    match route.next_hops.iter().find_map(|hop| Some((hop.link?, hop.gateway))) {
        Some((link, gateway)) => Direction::Out { link, next: gateway.unwrap_or(destination), route },
        None => Direction::Refused(route),
    }
}

/// A route as `ip route` prints it.
pub fn words(space: &Space, route: &Route) -> String {
    let destination =
        if route.destination.prefix == 0 { "default".to_owned() } else { route.destination.to_string() };
    let kind = match route.kind {
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        _ => "",
    };
    let mut text = format!("{kind}{destination}");
    for hop in &route.next_hops {
        text.extend(hop.gateway.map(|gateway| format!(" via {gateway}")));
        let link = hop.link.and_then(|index| space.link(index));
        text.extend(link.map(|link| format!(" dev {}", link.name)));
    }
    text.extend((route.metric > 0).then(|| format!(" metric {}", route.metric)));
    text.extend((![MAIN_TABLE, 0].contains(&route.table)).then(|| format!(" table {}", route.table)));
    text
}
