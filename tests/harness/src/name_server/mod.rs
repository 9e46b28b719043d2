//! A name server of a test's own: knotd on a free loopback port, by UDP and TCP.
//!
//! It answers for the zones that it is given, recurses for nobody, and is gone when the value is dropped. What a look-up can
//! meet comes from it for real: records, a name without them, no such name, CNAMEs within a zone and out of it, an answer too
//! long for UDP, SERVFAIL for a zone that cannot be loaded and REFUSED for one that it does not have. One that answers nothing
//! is a [`SilentServer`](crate::SilentServer), or this one while it is paused.

mod files;
mod inquiry;
mod zone;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

pub use zone::{Record, Zone};

use crate::ports::{random, until_ports_are_free};
use crate::{HarnessError, Part, Process, free_port, until};
use files::{CONFIGURATION, write_configuration, write_zone};
use inquiry::{Inquiry, Standing};

const START_DEADLINE: Duration = Duration::from_mins(1);
const CHANGE_DEADLINE: Duration = Duration::from_mins(1);

/// Every one has this zone, so that it is known by its serial also where a test gives no other.
const OWN_ZONE: &str = "name-server.harness";

/// A running name server.
#[derive(Debug)]
pub struct NameServer {
    // In the order in which they are dropped: the folder last.
    process: Process,
    address: SocketAddr,
    inquiry: Inquiry,
    zones: BTreeMap<String, Zone>,
    serial: u32,
    folder: TempDir,
}

impl NameServer {
    /// Starts one and waits until it answers for its zones.
    ///
    /// # Errors
    /// It could not be unpacked or did not start, or a record is none; the message shows the end of its log.
    pub async fn start(zones: impl IntoIterator<Item = Zone>) -> Result<Self, HarnessError> {
        let program = Part::Knot.folder().await?.join("knotd");
        let zones = zones.into_iter().chain([Zone::new(OWN_ZONE, [])]);
        let zones = zones.map(|zone| (zone.name().to_owned(), zone)).collect();
        until_ports_are_free(async || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            Self::start_at(address, &program, &zones).await
        })
        .await
    }

    async fn start_at(
        address: SocketAddr,
        program: &Path,
        zones: &BTreeMap<String, Zone>,
    ) -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new()
            .prefix("name-server-")
            .tempdir()
            .map_err(HarnessError::io("creating a temporary folder"))?;
        // Begun anywhere, so that nobody else who took the port meanwhile answers with it.
        let [.., a, b, c] = random().to_be_bytes();
        let serial = u32::from_be_bytes([0, a, b, c]);
        for zone in zones.values() {
            write_zone(folder.path(), zone, serial)?;
        }
        write_configuration(folder.path(), address, zones)?;
        let mut command = Command::new(program);
        command
            .args(["--config", CONFIGURATION])
            .current_dir(folder.path());
        let mut process = Process::spawn("knotd", command, folder.path().join("knotd.log"))?;
        let inquiry = Inquiry::of(address)?;
        let answers = async || {
            inquiry.connects().await?;
            for zone in zones.values() {
                inquiry.expects(zone.name(), zone.standing(serial)).await?;
            }
            Ok(())
        };
        process
            .until_ready("knotd to answer for its zones", START_DEADLINE, answers)
            .await?;
        Ok(Self {
            process,
            address,
            inquiry,
            zones: zones.clone(),
            serial,
            folder,
        })
    }

    /// Where it listens, by UDP and TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `zone` from now on, in place of what it had under that name, and returns once it answers so.
    ///
    /// # Errors
    /// It does not answer so, as where a record is none; the message shows the end of its log.
    pub async fn serve(&mut self, zone: Zone) -> Result<(), HarnessError> {
        let name = zone.name().to_owned();
        if !zone.is_loadable() {
            // It keeps what it has of a zone that it cannot load.
            self.withdraw(&name).await?;
        }
        self.serial = self.serial.wrapping_add(1);
        let standing = zone.standing(self.serial);
        write_zone(self.folder.path(), &zone, self.serial)?;
        self.zones.insert(name.clone(), zone);
        self.reload(&name, standing).await
    }

    /// Knows nothing of the zone `name` from now on, and returns once it refuses to answer for it. It must serve no zone
    /// above.
    ///
    /// # Errors
    /// It does not refuse; the message shows the end of its log.
    pub async fn withdraw(&mut self, name: &str) -> Result<(), HarnessError> {
        self.zones.remove(name);
        self.reload(name, Standing::Refused).await
    }

    /// Adds a TXT record of one string to a zone, and returns once it is there. A zone that was not served or not loadable
    /// has nothing else then.
    ///
    /// # Errors
    /// As [`NameServer::serve`].
    pub async fn add_txt(
        &mut self,
        zone: &str,
        name: &str,
        value: &str,
    ) -> Result<(), HarnessError> {
        let mut records = self.records(zone).to_vec();
        records.push(Record::txt(name, [value]));
        self.serve(Zone::new(zone, records)).await
    }

    /// Removes such a record, and returns once it is gone.
    ///
    /// # Errors
    /// There is none, or as [`NameServer::serve`].
    pub async fn remove_txt(
        &mut self,
        zone: &str,
        name: &str,
        value: &str,
    ) -> Result<(), HarnessError> {
        let record = Record::txt(name, [value]);
        let mut records = self.records(zone).to_vec();
        let before = records.len();
        records.retain(|other| *other != record);
        if records.len() == before {
            let removing = format!("removing {record:?} from {zone}");
            return Err(HarnessError::io(removing)(ErrorKind::NotFound.into()));
        }
        self.serve(Zone::new(zone, records)).await
    }

    /// Answers nothing until it is resumed: what is sent to it is taken, and waits.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn pause(&mut self) -> Result<(), HarnessError> {
        self.process.pause()
    }

    /// Answers again, also what was asked meanwhile.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn resume(&mut self) -> Result<(), HarnessError> {
        self.process.resume()
    }

    /// The last lines of what it said, for a failed test.
    #[must_use]
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    fn records(&self, zone: &str) -> &[Record] {
        self.zones.get(zone).map(Zone::records).unwrap_or_default()
    }

    /// Has it read all again, and waits until it answers for the zone as it should.
    async fn reload(&mut self, zone: &str, standing: Standing) -> Result<(), HarnessError> {
        write_configuration(self.folder.path(), self.address, &self.zones)?;
        self.process.reload()?;
        let awaited = format!("knotd to answer for {zone} with {standing:?}");
        until(&awaited, CHANGE_DEADLINE, async || {
            let outcome = self.inquiry.expects(zone, standing).await;
            outcome.map_err(|seen| format!("{seen}; the last it said:\n{}", self.tail()))
        })
        .await?;
        Ok(())
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- knotd ---\n{}", self.tail());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::ports::is_port_clash;

    #[tokio::test]
    async fn a_port_that_was_taken_meanwhile_is_told_from_other_failures() {
        let program = Part::Knot.folder().await.unwrap().join("knotd");
        let clashes = async |address: SocketAddr, zones: &[&str]| {
            let zones = zones
                .iter()
                .map(|name| ((*name).to_owned(), Zone::new(name, [])));
            let outcome = NameServer::start_at(address, &program, &zones.collect()).await;
            is_port_clash(&outcome.unwrap_err())
        };
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(clashes(tcp.local_addr().unwrap(), &[OWN_ZONE]).await);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(clashes(udp.local_addr().unwrap(), &[OWN_ZONE]).await);
        let free = (Ipv4Addr::LOCALHOST, free_port().unwrap()).into();
        assert!(!clashes(free, &["no..name"]).await);
    }
}
