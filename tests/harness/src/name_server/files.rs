//! What knotd reads: its configuration, and a file for each zone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Zone;
use crate::HarnessError;

/// The name of the configuration in the server's folder.
pub(super) const CONFIGURATION: &str = "knot.conf";

pub(super) fn write_configuration(
    folder: &Path,
    address: SocketAddr,
    zones: &BTreeMap<String, Zone>,
) -> Result<(), HarnessError> {
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        r#"server:
  listen: {ip}@{port}
  rundir: .
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: .
template:
  - id: default
    storage: .
    file: "%s.zone"
    # The file is the zone: nothing is kept beside it, and nothing written back.
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
zone:
"#
    );
    for name in zones.keys() {
        // To a String, which takes everything.
        let _ = writeln!(text, "  - domain: {name}");
    }
    let path = folder.join(CONFIGURATION);
    std::fs::write(&path, text).map_err(HarnessError::io(format!("writing {}", path.display())))
}

pub(super) fn write_zone(folder: &Path, zone: &Zone, serial: u32) -> Result<(), HarnessError> {
    let path = folder.join(format!("{}.zone", zone.name()));
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(zone.text(serial).as_bytes())?;
        // It reads a file again when its time is another, and two changes may fall into one tick of the file system's clock.
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(serial.into()))
    };
    write().map_err(HarnessError::io(format!("writing {}", path.display())))
}
