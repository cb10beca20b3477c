//! What a keeper holds of a sandbox in its own process, and what ends with it: the rules' owner, the ports, and who
//! answers at them.

use std::{io, net::IpAddr};

use crate::model::LinkName;
use crate::sys::firewall::{self, TableFamily};
use crate::sys::fork::ProcessHandle;
use crate::sys::netns::Namespace;
use crate::sys::nft::{self, Nft};
use crate::sys::plumbing::{self, Plumbing};

use super::{
    flows,
    proxy::Proxy,
    publication::Publications,
    record::{Record, RunId},
    reservation::{self, Reservation},
    ruleset::{self, Ownership, Ruleset},
    site::Error,
    step::Step,
};

/// Nothing of a sandbox, to begin with; and nothing ever to one who undoes what another one left.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    nft: Option<Nft>,
    reservation: Option<Reservation>,
    proxy: Option<Proxy>,
    /// Into the sandbox's namespace, for as long as a macvlan is there.
    inside: Option<Plumbing>,
}

impl Holdings {
    /// Has nft load while other things are done. It belongs to the calling thread.
    pub(super) fn start_nft(&mut self) -> Result<(), nft::Error> {
        self.nft = Some(Nft::start()?);
        Ok(())
    }

    /// Takes the host's ports.
    pub(super) fn reserve(
        &mut self,
        publications: &Publications,
        record: &mut Record,
    ) -> Result<(), reservation::Error> {
        // On this thread, while there is no other: a table of files that threads share grows by waiting for the kernel.
        let reservation = publications.reserve()?;
        record.forwards = reservation.forwards().to_vec();
        self.reservation = Some(reservation);
        Ok(())
    }

    /// Begins to make the table.
    pub(super) fn begin_rules(&mut self, step: &Step, record: &Record) -> Result<(), Error> {
        let Some(rules) = ruleset(step, record, Ownership::Owned) else { return Ok(()) };
        if self.nft.is_none() {
            self.start_nft()?;
        }
        self.nft.as_mut().map_or(Ok(()), |nft| Ok(nft.begin(&rules)?))
    }

    /// Waits until the table is made, if it was begun; what the kernel's version allows, such that it ends with nft.
    pub(super) fn finish_rules(&mut self, record: &Record) -> Result<(), Error> {
        let Some(nft) = &mut self.nft else { return Ok(()) };
        match nft.finish() {
            Err(nft::Error::NoOwner { words }) => {
                tracing::info!(words, "the table belongs to nobody and stays if the keeper is killed");
                let rules = record.steps.iter().find_map(|step| ruleset(step, record, Ownership::Shared));
                rules.map_or(Ok(()), |rules| Ok(nft.commit(&rules)?))
            }
            done => Ok(done?),
        }
    }

    /// The process whose end is that of the table; none where there is none.
    pub(super) fn owner_of_rules(&self) -> io::Result<Option<ProcessHandle>> {
        self.nft.as_ref().map_or(Ok(None), |nft| ProcessHandle::open(nft.pid()))
    }

    /// Makes the table again, unless it has outlived that process.
    pub(super) fn remake_rules(&mut self, record: &Record) -> Result<(), Error> {
        drop(self.nft.take());
        if has_table(&record.id).map_err(Error::Tables)? {
            return Ok(());
        }
        record.steps.iter().try_for_each(|step| self.begin_rules(step, record))?;
        self.finish_rules(record)
    }

    /// Answers at the ports.
    pub(super) fn serve(&mut self, addresses: &[IpAddr]) -> Result<(), Error> {
        let Some(reservation) = self.reservation.take() else { return Ok(()) };
        let open = reservation.open()?;
        self.proxy = Some(Proxy::start(open, addresses).map_err(Error::Serve)?);
        Ok(())
    }

    /// Lets the rules end while other things are undone.
    pub(super) fn begin_end(&mut self) {
        if let Some(nft) = &mut self.nft {
            nft.begin_end();
        }
    }

    /// The table goes with its owner; one that belongs to nobody is removed.
    pub(super) fn remove_rules(&mut self, record: &Record) -> Result<(), Error> {
        drop(self.nft.take());
        if has_table(&record.id).map_err(Error::Tables)? {
            Nft::start()?.commit(&ruleset::removal(record.id.as_str()))?;
        }
        let addresses: Vec<IpAddr> = record.addresses.iter().map(|found| found.address).collect();
        flows::forget_sandbox(&record.forwards, &addresses)?;
        Ok(())
    }

    /// A macvlan is about to be made in that namespace.
    pub(super) fn hold_inside(&mut self, namespace: &Namespace) -> Result<(), Error> {
        self.inside = Some(Plumbing::open_in(namespace)?);
        Ok(())
    }

    /// Removes it, rather than to let it go with the namespace: that takes a while, in which its parent still listens for
    /// it. Whoever undoes a dead run cannot, and has to leave it to the kernel.
    pub(super) fn remove_inside(&mut self, name: &LinkName) -> Result<(), plumbing::Error> {
        let Some(mut inside) = self.inside.take() else { return Ok(()) };
        match inside.link(name).and_then(|link| inside.remove_link(link.index)) {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }

    /// Stops answering.
    pub(super) fn stop_serving(&mut self) {
        drop(self.proxy.take());
    }

    /// Gives the ports back.
    pub(super) fn give_back(&mut self) {
        drop(self.reservation.take());
    }
}

/// The rules that a step is about, as text for nft.
fn ruleset(step: &Step, record: &Record, ownership: Ownership) -> Option<String> {
    let Step::Rules { bridge, addresses, reach, .. } = step else { return None };
    let (id, forwards) = (record.id.as_str(), record.forwards.as_slice());
    Some(Ruleset { id, ownership, bridge, addresses, reach: *reach, forwards }.to_string())
}

fn has_table(id: &RunId) -> io::Result<bool> {
    let name = ruleset::table_name(id.as_str());
    let chains = firewall::chains()?;
    Ok(chains.iter().any(|chain| chain.family == TableFamily::Inet && chain.table == name))
}
