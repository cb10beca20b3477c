//! One step done, or undone, in the kernel. What is undone may be the work of a process that has died: everything is
//! found again by its name, and is left alone unless its alias says that it is ours.

use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::model::{Link, LinkKind, LinkName};
use crate::sys::netns::{self, Namespace};
use crate::sys::plumbing::{self, BridgeOrder, MacvlanOrder, Plumbing, VethOrder};
use crate::sys::{OwnCgroup, cgroup, conntrack, nft, sysctl};

use super::{
    coexist::{self, Accepts},
    flows,
    holdings::Holdings,
    infant::Infant,
    publication::Publications,
    record::{self, BRIDGE_ALIAS, Exclusive, Record, RunId, State},
    reservation, resolver,
    shared::{self, Shared},
    step::Step,
};

/// What the sandbox's interface is called inside.
const INSIDE: &str = "eth0";

/// Why a step failed, or its undo.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error(transparent)]
    Plumbing(#[from] plumbing::Error),
    #[error(transparent)]
    Setting(#[from] sysctl::Error),
    #[error(transparent)]
    Record(#[from] record::Error),
    #[error(transparent)]
    Namespace(#[from] netns::Error),
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    #[error("changing the cgroup {path}")]
    ChangeCgroup { path: String, source: io::Error },
    #[error(transparent)]
    Nft(#[from] nft::Error),
    #[error(transparent)]
    Conntrack(#[from] conntrack::Error),
    #[error(transparent)]
    Coexist(#[from] coexist::Error),
    #[error(transparent)]
    Ports(#[from] reservation::Error),
    #[error("answering at the host's ports")]
    Serve(#[source] io::Error),
    #[error("asking the kernel for its tables of rules")]
    Tables(#[source] io::Error),
    #[error("creating a network namespace")]
    Birth(#[source] io::Error),
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("as PCAPSULE_FAIL_AT demands")]
    Demanded,
    #[error("told to end")]
    ToldToEnd,
}

/// Where steps are done: the host and the sandbox, as far as it is there.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) state: &'a State,
    pub(super) record: Record,
    pub(super) holdings: Holdings,
    gateways: &'a [IpAddr],
    publications: &'a Publications,
    infant: &'a mut Infant,
    host: Plumbing,
    inside: Option<(Namespace, Plumbing)>,
    /// Words of the container that is joined, instead of the host's.
    pub(super) words: Option<Words>,
}

/// Another container's files on names.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Words {
    pub hosts: Option<String>,
    pub resolv_conf: Option<String>,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        state: &'a State,
        record: Record,
        (gateways, publications): (&'a [IpAddr], &'a Publications),
        infant: &'a mut Infant,
        (host, holdings): (Plumbing, Holdings),
    ) -> Self {
        Self { state, record, holdings, gateways, publications, infant, host, inside: None, words: None }
    }

    /// Does a step; what is shared, only while nobody else does such.
    pub(super) fn execute(&mut self, step: &Step, exclusive: Option<&Exclusive>) -> Result<(), Error> {
        match (step, exclusive) {
            (Step::Ports { .. }, _) => Ok(self.holdings.reserve(self.publications, &mut self.record)?),
            (Step::Record { .. }, _) => Ok(self.state.write(&self.record)?),
            (Step::Bridge { name, mac, mtu }, Some(exclusive)) => {
                self.share(exclusive, |shared| shared.bridge(name).made = true)?;
                let bridge = BridgeOrder { name, mac: *mac, mtu: *mtu, alias: BRIDGE_ALIAS };
                Ok(self.host.create_bridge(&bridge)?)
            }
            (Step::BridgeAddress { bridge, address }, Some(exclusive)) => {
                self.share(exclusive, |shared| _ = shared.bridge(bridge).addresses.insert(*address))?;
                let link = self.host.link(bridge)?;
                Ok(self.host.add_address(link.index, *address)?)
            }
            (Step::BridgeUp { bridge }, _) => {
                let link = self.host.link(bridge)?;
                Ok(self.host.set_up(link.index)?)
            }
            (Step::BridgeSetting { name, value, .. } | Step::PortSetting { name, value, .. }, _) => {
                set(name, value)
            }
            (Step::HostSetting { name, value }, Some(exclusive)) => {
                let write_down = |was: &str| {
                    self.share(exclusive, |shared| shared.changes(name, was, value))?;
                    Ok::<_, Error>(())
                };
                sysctl::set(name, value, write_down)?;
                Ok(())
            }
            (Step::Names { .. }, _) => self.write_names(),
            (Step::Cgroup { path }, _) => {
                let failed = |source| Error::ChangeCgroup { path: path.clone(), source };
                OwnCgroup::at(path)?.create().map_err(failed)
            }
            (Step::Admit { cgroup: path }, _) => {
                let failed = |source| Error::ChangeCgroup { path: path.clone(), source };
                OwnCgroup::at(path)?.admit(self.infant.pid()).map_err(failed)
            }
            (Step::Namespace | Step::Join { .. }, _) => self.enter(),
            (Step::Veth { name, bridge, mtu, mac }, _) => {
                let port = (name, bridge);
                self.veth(port, *mtu, *mac)
            }
            (Step::PortUp { name }, _) => {
                let port = self.host.link(name)?;
                Ok(self.host.set_port_up_with_hairpin(port.index)?)
            }
            (Step::UseBridge { .. }, _) => Ok(()),
            (step, _) => self.execute_firewall(step),
        }
    }

    /// Waits for what was only begun by a step: nft makes the rules while other things are done.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        self.holdings.finish_rules(&self.record)
    }

    fn execute_firewall(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Rules { .. } => self.holdings.begin_rules(step, &self.record),
            Step::Accepts { .. } => {
                accepts(step, &self.record).map_or(Ok(()), |accepts| Ok(accepts.insert()?))
            }
            Step::ForgetFlows { addresses } => {
                self.settle()?;
                flows::forget_stale(&self.record.forwards, addresses)?;
                Ok(())
            }
            Step::Serve { addresses } => self.holdings.serve(addresses),
            inside => self.execute_inside(inside),
        }
    }

    fn execute_inside(&mut self, step: &Step) -> Result<(), Error> {
        let Some((namespace, plumbing)) = &mut self.inside else { return Ok(()) };
        match step {
            Step::SandboxSetting { name, value } => namespace.within(|| set(name, value))?,
            Step::LoopbackUp => {
                let link = plumbing.link(&named("lo"))?;
                Ok(plumbing.set_up(link.index)?)
            }
            Step::Macvlan { parent, mtu, mac } => {
                let parent = self.host.link(parent)?.index;
                self.holdings.hold_inside(namespace)?;
                let alias = self.record.id.alias();
                let name = &named(INSIDE);
                let macvlan = MacvlanOrder { name, namespace, parent, mtu: *mtu, mac: *mac, alias: &alias };
                Ok(self.host.create_macvlan(&macvlan)?)
            }
            Step::Address { address } => {
                let link = plumbing.link(&named(INSIDE))?;
                Ok(plumbing.add_address(link.index, *address)?)
            }
            Step::LinkUp => {
                let link = plumbing.link(&named(INSIDE))?;
                Ok(plumbing.set_up(link.index)?)
            }
            Step::Route { gateway, metric } => {
                let link = plumbing.link(&named(INSIDE))?;
                Ok(plumbing.add_default_route(link.index, *gateway, *metric)?)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.infant.wait().map_err(Error::Birth)?;
        let namespace = Namespace::of_process(self.infant.pid())?;
        let plumbing = Plumbing::open_in(&namespace)?;
        self.inside = Some((namespace, plumbing));
        Ok(())
    }

    fn veth(
        &mut self,
        (name, bridge): (&LinkName, &LinkName),
        mtu: u32,
        mac: crate::model::Mac,
    ) -> Result<(), Error> {
        let Some((namespace, _)) = &self.inside else { return Ok(()) };
        let bridge = self.host.link(bridge)?.index;
        let (alias, inside) = (self.record.id.alias(), named(INSIDE));
        let veth = VethOrder {
            name,
            alias: &alias,
            bridge,
            mtu,
            peer_name: &inside,
            peer_namespace: namespace,
            peer_mac: mac,
        };
        Ok(self.host.create_veth(&veth)?)
    }

    /// Files for the sandbox, and its name in those of its neighbours.
    fn write_names(&self) -> Result<(), Error> {
        let folder = self.state.folder(&self.record.id);
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).map_err(|source| Error::Write { path, source })
        };
        match &self.words {
            Some(words) => {
                words.hosts.as_deref().map_or(Ok(()), |text| write("hosts", text))?;
                words.resolv_conf.as_deref().map_or(Ok(()), |text| write("resolv.conf", text))?;
            }
            None => write("resolv.conf", &resolver::resolv_conf(&resolver::host_words(), &self.record))?,
        }
        // Those of another container are left as they are.
        if self.words.is_none() {
            let gateways = self.gateways.iter().map(|gateway| format!("{gateway}\n"));
            write("gateways", &gateways.collect::<String>())?;
            write("hosts", "")?;
        }
        rewrite_hosts(self.state, &self.record)
    }

    fn share(&self, exclusive: &Exclusive, change: impl FnOnce(&mut Shared)) -> Result<(), Error> {
        let mut shared = Shared::read(self.state, exclusive)?;
        change(&mut shared);
        Ok(shared.write(self.state, exclusive)?)
    }
}

/// Undoes a step of a run, which may be another process's; what is not there needs no undo.
pub(super) fn undo(
    state: &State,
    record: &Record,
    step: &Step,
    holdings: &mut Holdings,
    exclusive: Option<&Exclusive>,
) -> Result<(), Error> {
    match (step, exclusive) {
        (Step::Serve { .. }, _) => {
            holdings.stop_serving();
            Ok(())
        }
        (Step::Ports { .. }, _) => {
            holdings.give_back();
            Ok(())
        }
        (Step::Macvlan { .. }, _) => Ok(holdings.remove_inside(&named(INSIDE))?),
        (Step::Rules { .. }, _) => holdings.remove_rules(record),
        (Step::Accepts { .. }, _) => accepts(step, record).map_or(Ok(()), |accepts| Ok(accepts.remove()?)),
        (Step::Bridge { name, .. } | Step::UseBridge { name }, Some(exclusive)) => {
            release_bridge(state, record, name, exclusive)
        }
        (Step::HostSetting { name, .. }, Some(exclusive)) => {
            release_setting(state, &record.id, name, exclusive)
        }
        (Step::Names { .. }, _) => {
            let path = state.folder(&record.id).join("hosts");
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Write { path, source });
                }
                _ => {}
            }
            rewrite_hosts(state, record)
        }
        (Step::Veth { name, bridge, .. }, Some(exclusive)) => {
            remove_cable(state, record, (name, bridge), exclusive)
        }
        (Step::Cgroup { path }, _) => {
            let failed = |source| Error::ChangeCgroup { path: path.clone(), source };
            OwnCgroup::at(path)?.remove().map_err(failed)
        }
        (Step::Admit { cgroup: path }, _) => {
            let failed = |source| Error::ChangeCgroup { path: path.clone(), source };
            OwnCgroup::at(path)?.kill().map_err(failed)
        }
        _ => Ok(()),
    }
}

/// The rules in Docker's chain that a step is about.
fn accepts(step: &Step, record: &Record) -> Option<Accepts> {
    let Step::Accepts { iptables, bridge, address, reach } = step else { return None };
    let id = record.id.to_string();
    Some(Accepts { iptables: *iptables, id, bridge: bridge.clone(), address: *address, reach: *reach })
}

/// Removes a run's cable, and with the last one in a bridge that was made for it the bridge too: the kernel waits for
/// its readers once for both.
fn remove_cable(
    state: &State,
    record: &Record,
    (name, bridge): (&LinkName, &LinkName),
    exclusive: &Exclusive,
) -> Result<(), Error> {
    let own = &record.id;
    let alias = own.alias();
    let is_ours = |link: &Link| link.alias.as_ref() == Some(&alias);
    let mut shared = Shared::read(state, exclusive)?;
    let is_last = !shared::bridge_is_used(state, own, bridge) && shared.bridge(bridge).made;
    let mut plumbing = Plumbing::open()?;
    let both = match (plumbing.link(name), plumbing.link(bridge)) {
        (Ok(cable), Ok(bridge)) if is_last && is_ours(&cable) && is_made(&bridge) => [cable, bridge],
        _ => return remove_link(name, is_ours),
    };
    let group = own.group();
    match both.iter().try_for_each(|link| plumbing.set_group(link.index, group)) {
        // The cable goes with the namespace at its far end, which may be about to go.
        Err(error) if error.is_gone() => remove_link(bridge, is_made)?,
        Err(error) => return Err(error.into()),
        Ok(()) => plumbing.remove_group(group)?,
    }
    flows::forget_groups(&record.addresses)?;
    shared.take_bridge(bridge);
    Ok(shared.write(state, exclusive)?)
}

fn is_made(link: &Link) -> bool {
    link.kind == LinkKind::Bridge && link.alias.as_deref() == Some(BRIDGE_ALIAS)
}

fn release_bridge(
    state: &State,
    record: &Record,
    name: &LinkName,
    exclusive: &Exclusive,
) -> Result<(), Error> {
    if shared::bridge_is_used(state, &record.id, name) {
        return Ok(());
    }
    let mut shared = Shared::read(state, exclusive)?;
    let Some(bridge) = shared.take_bridge(name) else { return Ok(()) };
    if bridge.made {
        remove_link(name, is_made)?;
        flows::forget_groups(&record.addresses)?;
    } else {
        let mut plumbing = Plumbing::open()?;
        for address in &bridge.addresses {
            let removed = plumbing.link(name).and_then(|link| plumbing.remove_address(link.index, *address));
            ignore_gone(removed)?;
        }
    }
    Ok(shared.write(state, exclusive)?)
}

fn release_setting(state: &State, own: &RunId, name: &str, exclusive: &Exclusive) -> Result<(), Error> {
    if shared::setting_is_used(state, own, name) {
        return Ok(());
    }
    let mut shared = Shared::read(state, exclusive)?;
    let Some(setting) = shared.take_setting(name) else { return Ok(()) };
    // What somebody has changed since is his.
    if sysctl::own(name).as_ref() == Some(&setting.ours) && !is_on_for_all(name) {
        set(name, &setting.was)?;
    }
    Ok(shared.write(state, exclusive)?)
}

/// Whether the host forwards everything now, for somebody's sake who came meanwhile (Docker does so when it starts): the kernel
/// has set each interface to what it has from us, which is no longer ours to take back.
fn is_on_for_all(name: &str) -> bool {
    let of_all = match name.split('.').collect::<Vec<_>>()[..] {
        ["net", family, "conf", interface, setting @ ("forwarding" | "force_forwarding")]
            if interface != "all" =>
        {
            format!("net.{family}.conf.all.{setting}")
        }
        _ => return false,
    };
    sysctl::own(&of_all).is_some_and(|value| value != "0")
}

fn remove_link(name: &LinkName, is_ours: impl FnOnce(&Link) -> bool) -> Result<(), Error> {
    let mut plumbing = Plumbing::open()?;
    match plumbing.link(name) {
        Ok(link) if is_ours(&link) => ignore_gone(plumbing.remove_link(link.index)),
        Ok(_) => Ok(()),
        Err(error) => ignore_gone(Err(error)),
    }
}

fn ignore_gone(done: Result<(), plumbing::Error>) -> Result<(), Error> {
    match done {
        Err(error) if !error.is_gone() => Err(error.into()),
        _ => Ok(()),
    }
}

fn set(name: &str, value: &str) -> Result<(), Error> {
    sysctl::set(name, value, |_| Ok::<_, Error>(()))?;
    Ok(())
}

/// Everybody's file of names, after one has come or gone. Written in place: sandboxes see the file, not its path.
fn rewrite_hosts(state: &State, changed: &Record) -> Result<(), Error> {
    let others = state.others(&changed.id);
    let is_neighbour = |record: &&Record| record.bridge.is_some() && record.bridge == changed.bridge;
    let mut affected: Vec<&Record> = others.iter().filter(is_neighbour).chain([changed]).collect();
    // One without is about to come or go.
    affected.retain(|record| state.folder(&record.id).join("hosts").exists());
    for record in &affected {
        let path = state.folder(&record.id).join("hosts");
        // One without has another container's.
        if !path.with_file_name("gateways").exists() {
            continue;
        }
        let others = affected.iter().copied().filter(|other| other.id != record.id);
        let text = resolver::hosts(record, &gateways(&state.folder(&record.id)), others);
        overwrite(&path, &text).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// In place, and in such a way that who reads it meanwhile finds no empty file.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len().try_into().unwrap_or(u64::MAX))
}

fn gateways(folder: &Path) -> Vec<IpAddr> {
    let text = fs::read_to_string(folder.join("gateways")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn named(name: &str) -> LinkName {
    name.parse().expect("it is an interface name")
}
