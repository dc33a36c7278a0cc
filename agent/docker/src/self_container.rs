//! The container in which the agent itself runs, if it does. It must never stop that one: a restart would kill the agent
//! half-way, and nobody would start the container again.

use std::fs;

use super::identity::{ID, is_id};

/// The id of the agent's own container.
///
/// The host name is no proof, as any user may set it. Two files of the kernel are: with a cgroup namespace of its own the
/// container's cgroup is only `/`, but Docker mounts `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf` from
/// `.../containers/ID/`, which `mountinfo` shows; without that namespace `cgroup` has `docker/ID` or `docker-ID.scope`.
pub(super) fn container() -> Option<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    find(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

fn find(mountinfo: &str, cgroup: &str) -> Option<String> {
    let mounted = mountinfo.lines().find_map(|line| {
        // The fourth field is the place within the file system that is mounted, the fifth where to.
        let fields: Vec<&str> = line.split(' ').collect();
        let place = fields.get(4)?;
        let own = matches!(*place, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf");
        own.then(|| after(fields.get(3)?, &["/containers/"])).flatten()
    });
    mounted.or_else(|| cgroup.lines().find_map(|line| after(line, &["/docker-", "/docker/"])))
}

/// The id that follows one of these.
fn after(text: &str, marks: &[&str]) -> Option<String> {
    marks.iter().find_map(|mark| {
        let (_, rest) = text.split_once(mark)?;
        let id = rest.get(..ID)?;
        let whole = rest.as_bytes().get(ID).is_none_or(|byte| !byte.is_ascii_hexdigit());
        (whole && is_id(id)).then(|| id.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_container_is_found_in_the_kernels_files() {
        let id = "0123456789abcdef".repeat(4);
        let other = "f".repeat(64);
        let mount = |root: &str, place: &str| format!("640 629 8:1 {root} {place} rw,relatime - ext4 /dev/vda rw\n");
        let hostname = mount(&format!("/var/lib/docker/containers/{id}/hostname"), "/etc/hostname");
        // Another party's folder, mounted for another reason.
        let volume = mount(&format!("/var/lib/docker/containers/{other}/data"), "/data");
        for (mountinfo, cgroup, found) in [
            (format!("{volume}{hostname}"), "0::/".to_owned(), true),
            (String::new(), format!("4:memory:/docker/{id}"), true),
            (String::new(), format!("0::/system.slice/docker-{id}.scope"), true),
            (
                String::new(),
                format!("4:memory:/docker/{id}/system.slice/sentinel.service"),
                true,
            ),
            (volume, "0::/system.slice/sentinel.service".to_owned(), false),
            (String::new(), "0::/docker/short".to_owned(), false),
        ] {
            assert_eq!(
                find(&mountinfo, &cgroup),
                found.then(|| id.clone()),
                "{mountinfo} {cgroup}"
            );
        }
    }
}
