//! The agent's user: who that is, and how to become him.

use std::fs;

use rustix::process::{Gid, Uid, geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use sentinel_systemd::UnitAccount;

use super::error::AccountError;

/// The group whose members may use Docker's socket.
const DOCKER_GROUP: &str = "docker";

/// A user with his groups, by the files of `passwd(5)` and `group(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// His name.
    pub name: String,
    uid: u32,
    gid: u32,
    /// His own and those that the unit adds.
    groups: Vec<u32>,
}

impl Account {
    /// The account of a unit; `None` for root's.
    pub fn of(unit: &UnitAccount) -> Result<Option<Self>, AccountError> {
        let read = |path| {
            let unreadable = |source| AccountError::Unreadable { path, source };
            fs::read_to_string(path).map_err(unreadable)
        };
        find(unit, &read("/etc/passwd")?, &read("/etc/group")?)
    }

    /// Whether this process is that user's.
    pub fn is_current(&self) -> bool {
        geteuid().as_raw() == self.uid
    }

    /// Makes this process that user's, for good.
    pub fn assume(&self) -> Result<(), AccountError> {
        // The kernel keeps these for each thread; there must be no other that stays root's.
        let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        if threads != 1 {
            let name = self.name.clone();
            return Err(AccountError::Threads { name, threads });
        }
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&groups)
            .and_then(|()| set_thread_res_gid(gid, gid, gid))
            .and_then(|()| set_thread_res_uid(uid, uid, uid))
            .map_err(|source| AccountError::Refused {
                name: self.name.clone(),
                source,
            })
    }
}

/// The name of this process's user, and whether he is in the group of Docker's socket.
pub(super) fn current() -> (String, bool) {
    let uid = geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = rows(&passwd).find(|row| number(row, 2) == Some(uid));
    let name = name
        .and_then(|row| row.first().copied())
        .map_or_else(|| uid.to_string(), str::to_owned);
    let group = fs::read_to_string("/etc/group").unwrap_or_default();
    let docker = group_id(&group, DOCKER_GROUP);
    let groups = getgroups().unwrap_or_default();
    let in_group = docker.is_some_and(|docker| groups.iter().any(|gid| gid.as_raw() == docker));
    (name, in_group)
}

fn find(unit: &UnitAccount, passwd: &str, group: &str) -> Result<Option<Account>, AccountError> {
    if matches!(unit.user.as_str(), "" | "root" | "0") {
        return Ok(None);
    }
    let row = rows(passwd)
        .find(|row| row.first() == Some(&unit.user.as_str()) || row.get(2) == Some(&unit.user.as_str()))
        .ok_or_else(|| AccountError::NoUser(unit.user.clone()))?;
    let missing = |name: &str| AccountError::NoGroup(name.to_owned());
    let broken = || AccountError::Broken(unit.user.clone());
    let uid = number(&row, 2).ok_or_else(broken)?;
    let gid = match unit.group.as_str() {
        "" => number(&row, 3).ok_or_else(broken)?,
        name => group_id(group, name).ok_or_else(|| missing(name))?,
    };
    let name = row.first().copied().unwrap_or_default().to_owned();
    let is_member = |row: &Vec<&str>| {
        row.get(3)
            .is_some_and(|members| members.split(',').any(|member| member == name))
    };
    let mut groups: Vec<u32> = rows(group)
        .filter(is_member)
        .filter_map(|row| number(&row, 2))
        .collect();
    for name in &unit.supplementary {
        groups.push(group_id(group, name).ok_or_else(|| missing(name))?);
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(Some(Account { name, uid, gid, groups }))
}

/// The fields of each line.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn number(row: &[&str], field: usize) -> Option<u32> {
    row.get(field)?.parse().ok()
}

/// The name of a group, or its number when it has none.
pub(super) fn group_name(group: &str, gid: u32) -> String {
    let row = rows(group).find(|row| number(row, 2) == Some(gid));
    row.and_then(|row| row.first().copied())
        .map_or_else(|| gid.to_string(), str::to_owned)
}

/// The number of a group that is given by its name, or by its number.
fn group_id(group: &str, name: &str) -> Option<u32> {
    let row = rows(group).find(|row| row.first() == Some(&name));
    row.map_or_else(|| name.parse().ok(), |row| number(&row, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_what_the_unit_says() {
        const PASSWD: &str = "root:x:0:0::/:/bin/sh\nsentinel:x:990:980::/:/bin/false\nbroken:x:x:1\n";
        const GROUP: &str = "root:x:0:\nsentinel:x:980:\nother:x:7:\nadm:x:4:joe,sentinel\njournal:x:5:\n";
        let unit = |user: &str, group: &str, supplementary: &[&str]| UnitAccount {
            user: user.to_owned(),
            group: group.to_owned(),
            supplementary: supplementary.iter().map(|name| (*name).to_owned()).collect(),
        };
        let account = |gid, groups: &[u32]| {
            Ok(Some(Account {
                name: "sentinel".to_owned(),
                uid: 990,
                gid,
                groups: groups.to_vec(),
            }))
        };
        let no = |words: &str| Err(words.to_owned());
        for (unit, expected) in [
            (unit("", "", &[]), Ok(None)),
            (unit("root", "", &["journal"]), Ok(None)),
            (unit("sentinel", "", &[]), account(980, &[4])),
            (unit("990", "other", &["journal", "adm"]), account(7, &[4, 5])),
            (
                unit("nobody", "", &[]),
                no("there is no user `nobody`, as which the agent is to run"),
            ),
            (
                unit("sentinel", "", &["docker"]),
                no("there is no group `docker`, which the agent is to have"),
            ),
            (
                unit("broken", "", &[]),
                no("`/etc/passwd` says nothing usable of `broken`"),
            ),
        ] {
            let found = find(&unit, PASSWD, GROUP).map_err(|error| error.to_string());
            assert_eq!(found, expected, "{unit:?}");
        }
    }
}
