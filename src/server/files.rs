//! How many files the process may have open, and how many connections fit in there.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// As many as any server here needs; where the hard limit is none, some programs try to close that many files.
const MOST: u64 = 1 << 20;
/// For the database, the log, the runtime and the listeners.
const RESERVE: u64 = 128;
/// For the pulls, the engine's pipes and the UDP sockets of one camera.
const RESERVE_PER_CAMERA: u64 = 64;
/// So that an administrator gets in wherever the server runs at all.
const FEWEST: usize = 16;

/// Raises the soft limit of open files to the hard one and gives what is in force.
///
/// The soft limit is 1024 by custom, for programs that use `select`; this one does not.
pub(super) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
    let Some(soft) = limit.current.filter(|soft| *soft < wanted) else { return limit.current.unwrap_or(MOST) };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, soft, wanted, "the limit of open files cannot be raised");
            soft
        }
    }
}

/// Bounds the connections by the files that may be open: a connection that is refused is better than an accept that fails.
/// Each of the listeners may have that many.
pub(super) fn bound(limits: &mut Limits, files: u64, cameras: usize, listeners: usize) {
    let reserve = RESERVE + RESERVE_PER_CAMERA * cameras as u64;
    let room =
        usize::try_from(files.saturating_sub(reserve) / listeners.max(1) as u64).unwrap_or(usize::MAX).max(FEWEST);
    if limits.connections <= room {
        return;
    }
    tracing::warn!(
        configured = limits.connections,
        possible = room,
        files,
        "fewer connections than configured: the limit of open files (ulimit -n, LimitNOFILE=) is too low"
    );
    // One address must not get all that is left.
    let share = (limits.connections_per_address * room).div_ceil(limits.connections);
    limits.connections = room;
    limits.connections_per_address = share.clamp(1, room);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(files: u64, cameras: usize) -> (usize, usize) {
        with_listeners(files, cameras, 2)
    }

    fn with_listeners(files: u64, cameras: usize, listeners: usize) -> (usize, usize) {
        let mut limits = Limits { connections: 2048, connections_per_address: 1024, ..Limits::default() };
        bound(&mut limits, files, cameras, listeners);
        (limits.connections, limits.connections_per_address)
    }

    #[test]
    fn connections_fit_into_the_open_files() {
        assert_eq!(bounded(20_000, 1), (2048, 1024), "enough");
        assert_eq!(bounded(1024, 1), (416, 208), "one address keeps its share");
        assert_eq!(bounded(1024, 4), (320, 160));
        assert_eq!(with_listeners(1024, 4, 5), (128, 64), "each camera has a listener");
        assert_eq!(bounded(64, 8), (FEWEST, FEWEST / 2), "a camera that nobody reaches is none");
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(MOST).min(MOST);
        assert_eq!(raise_limit(), hard);
        assert_eq!(getrlimit(Resource::Nofile).current, Some(hard));
    }
}
