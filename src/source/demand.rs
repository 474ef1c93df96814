//! Who wants a pull to run.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::hub::Track;

/// The leases of the tracks that one pull fills.
#[derive(Debug)]
pub(super) struct Demand {
    leases: Vec<watch::Receiver<usize>>,
}

impl Demand {
    pub(super) fn of<'a>(tracks: impl IntoIterator<Item = &'a Arc<Track>>) -> Self {
        Self { leases: tracks.into_iter().map(|track| track.leases()).collect() }
    }

    fn exists(&self) -> bool {
        self.leases.iter().any(|leases| *leases.borrow() > 0)
    }

    /// Waits until somebody wants one of the tracks.
    pub(super) async fn begins(&mut self) {
        while !self.exists() {
            self.changed().await;
        }
    }

    /// Waits until nobody has wanted any of the tracks for the whole linger.
    pub(super) async fn ends(&mut self, linger: Duration) {
        loop {
            while self.exists() {
                self.changed().await;
            }
            if tokio::time::timeout(linger, self.begins()).await.is_err() {
                return;
            }
        }
    }

    async fn changed(&mut self) {
        let changes = self.leases.iter_mut().map(|leases| Box::pin(leases.changed()));
        let (result, _, _) = futures_util::future::select_all(changes).await;
        if result.is_err() {
            // The track is gone, and the pull that asked goes with it.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Kind, RingLimits};

    #[tokio::test(start_paused = true)]
    async fn a_pull_lingers_and_a_new_viewer_keeps_it() {
        let tracks = [Kind::Video, Kind::Audio].map(|kind| Track::new("t", kind, RingLimits::default()));
        let mut demand = Demand::of(&tracks);
        assert!(tokio::time::timeout(Duration::from_secs(60), demand.begins()).await.is_err(), "nobody wants it");
        let lease = tracks[1].lease();
        demand.begins().await;
        let linger = Duration::from_secs(10);
        assert!(tokio::time::timeout(Duration::from_secs(60), demand.ends(linger)).await.is_err(), "still wanted");
        drop(lease);
        assert!(tokio::time::timeout(Duration::from_secs(9), demand.ends(linger)).await.is_err(), "lingering");
        assert!(tokio::time::timeout(Duration::from_secs(11), demand.ends(linger)).await.is_ok());
    }
}
