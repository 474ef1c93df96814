//! Who may come in: connections counted in total and for each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The door of one listener. Whoever it does not admit is told so by the listener, not left waiting.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// An admitted connection. Dropping it makes room for another.
#[derive(Debug)]
pub struct Admitted {
    door: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    /// Admits so many connections at a time, and so many of them from one address.
    pub fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, open: Mutex::default() })
    }

    /// Admits a connection from this address if there is room for it. IPv4 within IPv6 is the same address.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let address = address.to_canonical();
        let mut open = self.lock();
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= self.most || here >= self.most_per_address {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, here + 1);
        Some(Admitted { door: Arc::clone(self), address })
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.door.lock();
        open.all = open.all.saturating_sub(1);
        match open.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let door = Admission::new(4, 2);
        let first = door.admit(ip("10.0.0.1")).unwrap();
        let _second = door.admit(ip("::ffff:10.0.0.1")).unwrap();
        assert!(door.admit(ip("10.0.0.1")).is_none());
        let _other = door.admit(ip("10.0.0.2")).unwrap();
        drop(first);
        assert_eq!(door.open(), 2);
        assert!(door.admit(ip("10.0.0.1")).is_some());
    }

    #[test]
    fn all_together_are_bounded_and_leave_nothing_behind() {
        let door = Admission::new(2, 2);
        let both = [door.admit(ip("10.0.0.1")), door.admit(ip("2001:db8::1"))];
        assert!(both.iter().all(Option::is_some));
        assert!(door.admit(ip("10.0.0.3")).is_none());
        drop(both);
        assert_eq!(door.open(), 0);
        assert!(door.lock().by_address.is_empty());
    }
}
