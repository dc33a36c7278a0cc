//! What was wrong with the host itself when something failed: no memory, a full disk, everything waiting. Facts from the
//! kernel, and a pure function that says which of them are worth reporting.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::statvfs;

/// Where services mostly write. Other file systems are not asked: one of a server that is gone would never answer.
const DISKS: [&str; 5] = ["/", "/var", "/var/lib", "/var/log", "/tmp"];

/// Memory is short when less than this share of it is available.
const MEMORY_SHORT: f64 = 0.05;

/// A disk is full when less than this share of it, and less than [`DISK_FULL_BYTES`], is available.
const DISK_FULL: f64 = 0.02;
const DISK_FULL_BYTES: u64 = 1 << 30;

/// Worth reporting: something waited for a resource in so many percent of the last ten seconds. For the CPU that is
/// everyday.
const PRESSURE: [(&str, f64); 3] = [("memory", 20.0), ("io", 40.0), ("cpu", 80.0)];

/// Worth reporting: so many processes for each CPU want to run, or wait for a disk.
const LOAD_PER_CPU: f64 = 4.0;

/// What the kernel says of the host. Whatever it does not say is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// Bytes of memory available without swapping, and in all.
    memory: Option<(u64, u64)>,
    /// The load of the last minute, and the number of CPUs.
    load: Option<(f64, usize)>,
    /// Percent of the last ten seconds in which something waited for a resource, in the order of [`PRESSURE`].
    pressure: [Option<f64>; 3],
    disks: Vec<Disk>,
}

/// A file system.
#[derive(Clone, Debug, PartialEq)]
struct Disk {
    /// Where services see it.
    path: &'static str,
    /// Bytes available to users other than root, and in all.
    bytes: (u64, u64),
    /// Files that can still be made, and in all; 0 of 0 where there is no limit.
    files: (u64, u64),
}

/// Looks at the host. Takes a few dozen microseconds and blocks.
pub fn look() -> Condition {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Condition {
        memory: memory(&read("/proc/meminfo")),
        load: load(&read("/proc/loadavg")).map(|load| (load, cpus)),
        pressure: PRESSURE.map(|(resource, _)| pressure(&read(&format!("/proc/pressure/{resource}")))),
        disks: disks(),
    }
}

/// `MemAvailable` and `MemTotal` of `/proc/meminfo`, in bytes.
fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let of = |name: &str| {
        let line = meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some((of("MemAvailable")?, of("MemTotal").filter(|total| *total > 0)?))
}

/// The first number of `/proc/loadavg`.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

/// `some avg10` of a file in `/proc/pressure`.
fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ')
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()
}

fn disks() -> Vec<Disk> {
    let mut seen = Vec::new();
    let mut disks = Vec::new();
    for path in DISKS {
        let (Ok(metadata), Ok(stat)) = (fs::metadata(path), statvfs(path)) else {
            continue;
        };
        if stat.f_blocks == 0 || seen.contains(&metadata.dev()) {
            continue;
        }
        seen.push(metadata.dev());
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        disks.push(Disk {
            path,
            bytes: (bytes(stat.f_bavail), bytes(stat.f_blocks)),
            files: (stat.f_favail, stat.f_files),
        });
    }
    disks
}

/// What of it may have to do with a failure, a line each; empty when the host looks well.
pub fn notable(host: &Condition) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((available, total)) = host.memory
        && share(available, total) < MEMORY_SHORT
    {
        lines.push(format!("memory: {} of {} available", size(available), size(total)));
    }
    for disk in &host.disks {
        let (available, total) = disk.bytes;
        if share(available, total) < DISK_FULL && available < DISK_FULL_BYTES {
            let (path, available, total) = (disk.path, size(available), size(total));
            lines.push(format!("disk: {path} is full, {available} of {total} available"));
        }
        if disk.files.1 > 0 && share(disk.files.0, disk.files.1) < DISK_FULL {
            let (path, (left, all)) = (disk.path, disk.files);
            lines.push(format!("disk: {path} has room for {left} more files, of {all}"));
        }
    }
    for ((resource, limit), percent) in PRESSURE.into_iter().zip(host.pressure) {
        if let Some(percent) = percent.filter(|percent| *percent >= limit) {
            lines.push(format!(
                "pressure: something waited for {resource} in {percent:.0} % of the last 10s"
            ));
        }
    }
    if let Some((load, cpus)) = host.load
        && load >= LOAD_PER_CPU * f64::from(u32::try_from(cpus).unwrap_or(u32::MAX))
    {
        lines.push(format!("load: {load:.1} with {cpus} CPUs"));
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// `1.5 GiB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are said")]
fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 || size >= 100.0 {
        format!("{size:.0} {}", units[unit])
    } else {
        format!("{size:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn well() -> Condition {
        Condition {
            memory: Some((3 * GIB, 8 * GIB)),
            load: Some((1.5, 2)),
            pressure: [Some(0.0), Some(12.5), Some(79.0)],
            disks: vec![Disk {
                path: "/",
                bytes: (5 * GIB, 20 * GIB),
                files: (0, 0),
            }],
        }
    }

    fn disk(path: &'static str, bytes: (u64, u64), files: (u64, u64)) -> Vec<Disk> {
        vec![Disk { path, bytes, files }]
    }

    #[test]
    fn only_what_is_wrong_with_the_host_is_reported() {
        #[rustfmt::skip]
        let table: [(&str, Condition, &[&str]); 11] = [
            ("all is well", well(), &[]),
            ("nothing is known", Condition::default(), &[]),
            ("memory is short", Condition { memory: Some((200 << 20, 8 * GIB)), ..well() },
             &["memory: 200 MiB of 8.0 GiB available"]),
            ("a disk is full", Condition { disks: disk("/var", (0, 20 * GIB), (900, 1000)), ..well() },
             &["disk: /var is full, 0 bytes of 20.0 GiB available"]),
            ("two percent of a large disk are much", Condition { disks: disk("/", (19 * GIB, 1000 * GIB), (0, 0)), ..well() }, &[]),
            ("a small disk with a tenth free", Condition { disks: disk("/tmp", (6 << 20, 64 << 20), (0, 0)), ..well() }, &[]),
            ("no file can be made", Condition { disks: disk("/", (5 * GIB, 20 * GIB), (3, 1_000_000)), ..well() },
             &["disk: / has room for 3 more files, of 1000000"]),
            ("everything waits for memory", Condition { pressure: [Some(45.3), None, None], ..well() },
             &["pressure: something waited for memory in 45 % of the last 10s"]),
            ("for disks and CPUs as well", Condition { pressure: [None, Some(40.0), Some(97.0)], ..well() },
             &["pressure: something waited for io in 40 % of the last 10s",
               "pressure: something waited for cpu in 97 % of the last 10s"]),
            ("two CPUs at 7.9", Condition { load: Some((7.9, 2)), ..well() }, &[]),
            ("two CPUs at 8", Condition { load: Some((8.0, 2)), ..well() }, &["load: 8.0 with 2 CPUs"]),
        ];
        for (what, host, expected) in table {
            assert_eq!(notable(&host), expected, "{what}");
        }
    }

    #[test]
    fn files_of_the_kernel_are_read_as_they_are() {
        let meminfo = "MemTotal:       24684084 kB\nMemFree:         7390840 kB\nMemAvailable:   21918092 kB\n";
        assert_eq!(memory(meminfo), Some((21_918_092 * 1024, 24_684_084 * 1024)));
        assert_eq!(load("8.79 9.81 8.69 9/183 23112\n"), Some(8.79));
        let pressures =
            "some avg10=1.15 avg60=0.86 avg300=1.87 total=63541630\nfull avg10=0.00 avg60=0 avg300=0 total=5\n";
        assert_eq!(pressure(pressures), Some(1.15));
        for broken in [
            "",
            "\n",
            "MemTotal: x kB",
            "some",
            "some avg10=",
            "MemTotal: 0 kB\nMemAvailable: 0 kB",
        ] {
            assert_eq!(
                (memory(broken), load(broken), pressure(broken)),
                (None, None, None),
                "{broken:?}"
            );
        }
    }

    #[test]
    fn this_host_can_be_looked_at() {
        let host = look();
        assert!(
            host.memory.is_some_and(|(available, total)| available <= total),
            "{host:?}"
        );
        assert!(host.load.is_some() && !host.disks.is_empty(), "{host:?}");
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (200 << 20, "200 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
