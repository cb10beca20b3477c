//! Where the programs for packets of connections that are over hang: on every interface at which the host's own packets
//! come and go, those included that are made later.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::model::{Link, LinkIndex, LinkKind, MediaType};
use crate::sys::{
    cgroup::Cgroup,
    ebpf::{self, Program, ProgramKind, ProgramLink},
};

use super::{
    Error,
    afterlife::{self, Post},
    program::{View, Way},
    tables::Tables,
};

const ETHERNET_HEADER: u32 = 14;

/// The programs of one tap, and where they hang.
#[derive(Debug)]
pub struct Posts {
    ethernet: [Program; 2],
    raw_ip: [Program; 2],
    /// None once nothing more is to be seen.
    manned: Mutex<Option<BTreeMap<LinkIndex, [ProgramLink; 2]>>>,
}

impl Posts {
    /// Loads the programs; they hang nowhere yet. The inner error is that of a kernel that cannot do it.
    pub(super) fn load(
        cgroup: &Cgroup,
        view: View<'_>,
        tables: &Tables,
    ) -> Result<Result<Self, ebpf::Error>, Error> {
        let depth = i32::try_from(cgroup.depth()).unwrap_or(i32::MAX);
        let code = |way, skipped| {
            afterlife::program(Post { way, skipped, cgroup: cgroup.id(), depth, view }, tables)
        };
        let mut programs = Vec::new();
        for skipped in [ETHERNET_HEADER, 0] {
            let out = Program::load("pcs_late_out", ProgramKind::InterfaceEgress, code(Way::Out, skipped)?);
            let back = Program::load("pcs_late_in", ProgramKind::InterfaceIngress, code(Way::In, skipped)?);
            programs.push(out.and_then(|out| Ok([out, back?])));
        }
        let mut programs = programs.into_iter();
        let (Some(ethernet), Some(raw_ip)) = (programs.next(), programs.next()) else {
            unreachable!("two kinds of interfaces were asked for")
        };
        Ok(ethernet.and_then(|ethernet| {
            Ok(Self { ethernet, raw_ip: raw_ip?, manned: Mutex::new(Some(BTreeMap::new())) })
        }))
    }

    /// Hangs them on what is an end among the interfaces of the calling thread's namespace, and nowhere else.
    pub fn cover(&self, links: &[Link]) -> Result<(), ebpf::Error> {
        let mut manned = self.manned.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(manned) = &mut *manned else { return Ok(()) };
        let ends: Vec<&Link> = links.iter().filter(|link| is_end(link, links)).collect();
        manned.retain(|index, _| ends.iter().any(|link| link.index == *index));
        for link in ends {
            if manned.contains_key(&link.index) {
                continue;
            }
            match self.man(link) {
                Ok(posted) => drop(manned.insert(link.index, posted)),
                // Gone since it was looked at.
                Err(error) if error.cause().raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes them down for good.
    pub(super) fn close(&self) {
        *self.manned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn man(&self, link: &Link) -> Result<[ProgramLink; 2], ebpf::Error> {
        let [out, back] = if link.media == MediaType::RawIp { &self.raw_ip } else { &self.ethernet };
        Ok([out.attach_to_interface(link.index)?, back.attach_to_interface(link.index)?])
    }
}

/// Not a port of a bridge, bond or team: what passes there passes their own interface too. And where IP packets begin is
/// known of two kinds of frames only.
fn is_end(link: &Link, links: &[Link]) -> bool {
    if matches!(link.media, MediaType::Other(_)) {
        return false;
    }
    let master = link.master.and_then(|index| links.iter().find(|link| link.index == index));
    master.is_none_or(|master| matches!(&master.kind, LinkKind::Other(kind) if kind == "vrf"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::link;

    #[test]
    fn ports_of_a_bridge_are_no_ends() {
        let mut port = link(3, "veth1", LinkKind::Veth);
        port.master = Some(4.try_into().unwrap());
        let mut routed = link(5, "eth1", LinkKind::Hardware);
        routed.master = Some(6.try_into().unwrap());
        let vrf = link(6, "blue", LinkKind::Other("vrf".to_owned()));
        let links = [link(1, "lo", LinkKind::Loopback), port, link(4, "br0", LinkKind::Bridge), routed, vrf];
        let ends: Vec<&str> =
            links.iter().filter(|link| is_end(link, &links)).map(|link| link.name.as_str()).collect();
        assert_eq!(ends, ["lo", "br0", "eth1", "blue"]);
    }
}
