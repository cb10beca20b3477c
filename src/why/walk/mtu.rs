//! How large packets may be on the way, and whether somebody says so where they are too large.

use std::net::SocketAddr;

use crate::model::{Link, NamespaceId};
use crate::why::facts::Space;
use crate::why::finding::{Code, Finding};
use crate::why::firewall::{Family, Point, pass};
use crate::why::packet::{Packet, Part};

use super::{Connection, Start, Step, Walker};

/// A link that a packet passed.
#[derive(Debug, Clone)]
pub(super) struct Passed {
    space: NamespaceId,
    name: String,
    mtu: u32,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// IP sends by it, and knows its size: what is too large is complained about.
    Sender,
    /// A frame passes it: what is too large is dropped in silence.
    Port,
}

impl Passed {
    pub(super) fn sender(space: &Space, link: &Link) -> Self {
        Self { space: space.id, name: link.name.to_string(), mtu: link.mtu, role: Role::Sender }
    }

    pub(super) fn port(space: &Space, link: &Link) -> Self {
        Self { space: space.id, name: link.name.to_string(), mtu: link.mtu, role: Role::Port }
    }
}

impl Walker<'_> {
    /// Whether large packets would be lost where small ones pass. TCP sends no larger ones than both ends can take.
    pub(super) fn check_mtu(&self, connection: &Connection) -> Step<()> {
        let senders = || self.passed.iter().filter(|passed| passed.role == Role::Sender);
        let (Some(first), Some(last)) =
            (senders().next(), self.passed.iter().rev().find(|passed| passed.role == Role::Sender))
        else {
            return Ok(());
        };
        let largest = match &connection.start {
            Start::Inside(_) => first.mtu.min(self.answerer_mtu().unwrap_or(last.mtu)),
            Start::Outside { .. } => self.answerer_mtu().unwrap_or(last.mtu),
        };
        let mut near = largest;
        for passed in &self.passed {
            match passed.role {
                Role::Port if passed.mtu < near.min(largest) => {
                    return Err(Box::new(self.silent(passed, near.min(largest))));
                }
                Role::Port => {}
                Role::Sender => {
                    if passed.mtu < largest {
                        self.is_complained_about(passed, largest)?;
                    }
                    near = passed.mtu;
                }
            }
        }
        Ok(())
    }

    /// The size of the interface that the answer is first sent by.
    fn answerer_mtu(&self) -> Option<u32> {
        let socket = self.hops.iter().rev().find(|hop| hop.hop == "socket");
        let _ = socket?;
        let mut senders = self.passed.iter().filter(|passed| passed.role == Role::Sender);
        // The way there, then the way back: the answer begins in the namespace in which the way there ended.
        let home = self.facts.topology.host;
        senders.rfind(|passed| Some(passed.space) != home).map(|passed| passed.mtu)
    }

    fn silent(&self, passed: &Passed, largest: u32) -> Finding {
        let who = self.facts.name_of(passed.space);
        let sentence = format!(
            "packets of more than {} bytes are dropped without a word at {} of {who}; both ends send up to {largest}",
            passed.mtu, passed.name
        );
        Finding::new(Code::MtuBlackHole, sentence)
            .seen(format!("MTU of {} of {who}: {}", passed.name, passed.mtu))
            .seen(format!("MTU of the ends: {largest}"))
            .repair(format!("ip link set {} mtu {largest}", passed.name))
    }

    /// A router says "too big" to the sender: whether it may, and whether that is heard.
    fn is_complained_about(&self, passed: &Passed, largest: u32) -> Step<()> {
        let Some(router) = self.facts.spaces.get(&passed.space) else { return Ok(()) };
        let senders: Vec<&Space> = self
            .passed
            .iter()
            .filter(|other| {
                other.role == Role::Sender && other.space != passed.space && other.mtu > passed.mtu
            })
            .filter_map(|other| self.facts.spaces.get(&other.space))
            .collect();
        for sender in senders {
            let Some(address) = sender
                .addresses()
                .map(|(_, own)| own.address)
                .find(|address| !address.is_loopback() && address.is_ipv4() == self.packet.is_v4())
            else {
                continue;
            };
            let mut complaint = Packet::opening(None, SocketAddr::new(address, 0), self.packet.protocol);
            complaint.part = Part::Complaint;
            let own = router
                .addresses()
                .map(|(_, own)| own.address)
                .find(|own| own.is_ipv4() == address.is_ipv4() && !own.is_loopback());
            complaint.source = own;
            let families =
                if complaint.is_v4() { [Family::Ip, Family::Inet] } else { [Family::Ip6, Family::Inet] };
            for (space, point) in
                [(router, Point::Output), (sender, Point::Prerouting), (sender, Point::Input)]
            {
                let passage = pass(space, point, &complaint, &families);
                if let Some(stop) = passage.stop {
                    let who = self.facts.name_of(space.id);
                    let rule = stop.rule.map_or_else(|| "its policy".to_owned(), |rule| rule.text.clone());
                    let sentence = format!(
                        "{} of {} takes {} bytes, the ends send up to {largest}, and {who} drops the ICMP message that says so",
                        passed.name,
                        self.facts.name_of(passed.space),
                        passed.mtu
                    );
                    return Err(Box::new(
                        Finding::new(Code::MtuBlackHole, sentence)
                            .if_certain(stop.certain)
                            .seen(format!("MTU of {}: {}", passed.name, passed.mtu))
                            .seen(format!("{}: {rule}", stop.chain))
                            .repair(format!(
                                "ip link set eth0 mtu {}  # in the container, or accept ICMP",
                                passed.mtu
                            )),
                    ));
                }
            }
        }
        Ok(())
    }
}
