//! Which containers that are there already are to be measured, and between what: words to ways.

use crate::bench::{Goal, Visit, Way};
use crate::cli::bench_args::To;
use crate::cli::look::{self, Look};
use crate::cli::select::{self, Ended, Error};
use crate::discovery::Topology;
use crate::model::{Container, NamespaceId, Selector};

/// Looks at the host, and finds the ways.
pub(super) async fn visit(from: &Selector, to: &[To]) -> anyhow::Result<Visit> {
    let Look { topology, ground, .. } = look::look(&look::engines()).await?;
    let ways = ways(&topology, from, to, look::namespace_of)?;
    let namespaces = ground.namespaces;
    let host = topology.host.and_then(|host| namespaces.get(&host).cloned());
    let host = host.ok_or(crate::bench::NoWay::Nowhere)?;
    Ok(Visit { host, ways, namespaces })
}

/// One from the container to each goal, and the host's own loopback to hold them against.
fn ways(
    topology: &Topology,
    from: &Selector,
    to: &[To],
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
) -> anyhow::Result<Vec<Way>> {
    let from = one(topology, from, &namespace_of)?;
    let mut ways = vec![Way::within_host(topology)?];
    for goal in to {
        let goal = match goal {
            To::Host => Goal::Host,
            To::Outside => Goal::Outside,
            To::Published => Goal::Published,
            To::Container(selector) => Goal::Container(one(topology, selector, &namespace_of)?),
        };
        ways.push(Way::find(topology, from, goal)?);
    }
    Ok(ways)
}

/// The one container that a selector means.
fn one<'a>(
    topology: &'a Topology,
    selector: &Selector,
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
) -> Result<&'a Container, Error> {
    let selectors = std::slice::from_ref(selector);
    let found = select::select(topology, selectors, Ended::Excluded, namespace_of)?.without_cgroups()?;
    match found.containers[..] {
        [one] => Ok(one),
        [] if found.interfaces.is_empty() => Err(Error::NothingToHear("no container runs".to_owned())),
        [] => Err(Error::NotAContainer(selector.to_string())),
        ref several => {
            let candidates = several.iter().map(|found| found.name.clone()).collect();
            Err(Error::Ambiguous { selector: selector.to_string(), candidates })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// Where each way but the first leads, or the complaint.
    fn found(from: &str, to: &[&str]) -> String {
        let topology = fixture::topology();
        let goals: Vec<To> = to.iter().map(|word| word.parse().unwrap()).collect();
        let namespace_of = |pid| (pid == 100).then(|| fixture::namespace(1));
        match ways(&topology, &from.parse().unwrap(), &goals, namespace_of) {
            Ok(ways) => {
                let told = ways.iter().skip(1).map(|way| {
                    let address = way.address.map(|address| format!(" at {address}")).unwrap_or_default();
                    format!("{} {} → {}{address}", way.path, way.from, way.to)
                });
                told.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("!{error}"),
        }
    }

    #[test]
    fn ways_lead_where_the_networks_do() {
        for (from, to, expected) in [
            ("web", &["host"][..], "to-host web → host at 172.17.0.1"),
            ("web", &["dind"], "to-container web → dind at 172.17.0.3"),
            ("dind", &["web", "outside"], "to-container dind → web at 172.17.0.2, to-outside dind → outside"),
            ("web", &["side"], "to-container web → side at 127.0.0.1"),
            ("agent", &["host"], "to-host agent → host at 127.0.0.1"),
            ("agent", &["web"], "to-container agent → web at 172.17.0.2"),
            ("web", &["agent"], "to-container web → agent at 172.17.0.1"),
            ("web", &["published"], "to-published outside → web"),
            ("lan", &["host"], "to-host lan → host at 192.0.2.1"),
            ("web", &["inner"], "to-container web → inner at 172.18.0.2"),
        ] {
            assert_eq!(found(from, to), expected, "{from} {to:?}");
        }
    }

    #[test]
    fn what_means_no_container_or_several_is_refused() {
        for (from, to, expected) in [
            ("inner", "host", "none of its interfaces leads to an address of the host"),
            ("dind", "published", "it publishes no TCP port"),
            ("all", "host", "telling which container 'all' means: agent, dind"),
            ("wbe", "host", "finding a container named 'wbe'"),
            ("web", "if=eth0", "that is an interface of the host"),
            ("db", "host", "container db is exited"),
        ] {
            let complaint = found(from, &[to]);
            assert!(complaint.starts_with('!') && complaint.contains(expected), "{complaint}");
        }
    }
}
