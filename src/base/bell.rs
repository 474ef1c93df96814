//! A bell that many tasks hear.
//!
//! What `tokio::sync::watch` does without a value, for listeners that wait again and again, as every viewer does for every
//! picture: a listener keeps its place and its waker from one wait to the next, and the places stand side by side, so that
//! ringing for a thousand of them touches little memory.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use slab::Slab;

/// Rings for all that listen. Remembers nothing but how often it rang.
#[derive(Debug, Default)]
pub struct Bell {
    /// Written with the places locked.
    rings: AtomicU64,
    places: Mutex<Slab<Place>>,
}

#[derive(Debug)]
struct Place {
    waker: Waker,
    waits: bool,
}

/// Hears each ringing since it was made, several at once as one.
#[derive(Debug)]
pub struct Listener {
    bell: Arc<Bell>,
    heard: u64,
    place: Option<Kept>,
}

/// What a listener knows of its place.
#[derive(Debug)]
struct Kept {
    index: usize,
    /// Whom the bell wakes if it rings now; `None` once it has rung.
    wakes: Option<Waker>,
}

impl Bell {
    /// Wakes all that wait. Their wakers are called with the places locked, as a scheduler allows.
    pub fn ring(&self) {
        let mut places = self.lock();
        self.rings.fetch_add(1, Ordering::Release);
        for (_, place) in places.iter_mut() {
            if std::mem::take(&mut place.waits) {
                place.waker.wake_by_ref();
            }
        }
    }

    /// Makes a listener that hears what rings from now on.
    pub fn listen(self: &Arc<Self>) -> Listener {
        Listener { bell: Arc::clone(self), heard: self.rings.load(Ordering::Acquire), place: None }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Ready once the bell has rung since this was last ready. Until then the task is woken when it rings.
    pub fn poll_rung(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_rung() {
            return Poll::Ready(());
        }
        let wakes = self.place.as_ref().and_then(|place| place.wakes.as_ref());
        if !wakes.is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.wait(cx.waker());
            // It may have rung before this was known.
            if self.has_rung() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Waits for that. Cancel safe.
    pub async fn rung(&mut self) {
        std::future::poll_fn(|cx| self.poll_rung(cx)).await;
    }

    fn has_rung(&mut self) -> bool {
        let rings = self.bell.rings.load(Ordering::Acquire);
        let has_rung = rings != self.heard;
        if has_rung {
            self.heard = rings;
            self.place.iter_mut().for_each(|place| place.wakes = None);
        }
        has_rung
    }

    fn wait(&mut self, waker: &Waker) {
        let mut places = self.bell.lock();
        let kept = self.place.get_or_insert_with(|| {
            let index = places.insert(Place { waker: waker.clone(), waits: false });
            Kept { index, wakes: None }
        });
        let mut old = None;
        if let Some(place) = places.get_mut(kept.index) {
            place.waits = true;
            if !place.waker.will_wake(waker) {
                old = Some(std::mem::replace(&mut place.waker, waker.clone()));
            }
        }
        let known = kept.wakes.replace(waker.clone());
        drop(places);
        // The last waker of a task takes the task along, and with it perhaps another listener.
        drop((old, known));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(kept) = self.place.take() else { return };
        let mut places = self.bell.lock();
        let place = places.try_remove(kept.index);
        if places.len() < places.capacity() / 4 {
            // Ringing goes through the places that were left, too.
            places.shrink_to_fit();
        }
        drop(places);
        // With the places unlocked, as above.
        drop((place, kept));
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, task::Wake};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task that counts how often it was woken.
    fn task() -> (Arc<Woken>, Waker) {
        let woken = Arc::<Woken>::default();
        (Arc::clone(&woken), Waker::from(woken))
    }

    fn count(woken: &Woken) -> usize {
        woken.0.load(Ordering::Relaxed)
    }

    #[test]
    fn each_ringing_is_heard_once() {
        let bell = Arc::<Bell>::default();
        bell.ring();
        let mut listener = bell.listen();
        let (woken, waker) = task();
        let mut cx = Context::from_waker(&waker);
        assert!(listener.poll_rung(&mut cx).is_pending(), "it rang before");
        assert!(listener.poll_rung(&mut cx).is_pending());
        bell.ring();
        bell.ring();
        assert_eq!(count(&woken), 1, "whoever has not come to hear is not woken twice");
        assert!(listener.poll_rung(&mut cx).is_ready());
        assert!(listener.poll_rung(&mut cx).is_pending());
        bell.ring();
        assert_eq!(count(&woken), 2);
        assert!(listener.poll_rung(&mut cx).is_ready());
        bell.ring();
        assert_eq!(count(&woken), 2, "it does not wait");
        assert!(listener.poll_rung(&mut cx).is_ready());
    }

    #[test]
    fn the_task_that_asked_last_is_woken() {
        let bell = Arc::<Bell>::default();
        let mut listener = bell.listen();
        let (first, second) = (task(), task());
        for waker in [&first.1, &second.1] {
            assert!(listener.poll_rung(&mut Context::from_waker(waker)).is_pending());
        }
        bell.ring();
        assert_eq!((count(&first.0), count(&second.0)), (0, 1));
    }

    #[test]
    fn a_listener_that_goes_leaves_nothing() {
        let bell = Arc::<Bell>::default();
        let (woken, waker) = task();
        for _ in 0..1000 {
            let mut listeners = [bell.listen(), bell.listen()];
            assert!(listeners.iter_mut().all(|one| one.poll_rung(&mut Context::from_waker(&waker)).is_pending()));
        }
        let mut crowd: Vec<_> = (0..1000).map(|_| bell.listen()).collect();
        for one in &mut crowd {
            assert!(one.poll_rung(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(crowd);
        assert!(bell.lock().is_empty() && bell.lock().capacity() < 10, "ringing would go through what they left");
        bell.ring();
        assert_eq!(count(&woken), 0);
        assert_eq!(Arc::strong_count(&woken), 2, "no waker is left");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_missed_across_threads() {
        let (there, back) = (Arc::<Bell>::default(), Arc::<Bell>::default());
        let (mut at_home, mut away) = (back.listen(), there.listen());
        let echo = tokio::spawn(async move {
            loop {
                away.rung().await;
                back.ring();
            }
        });
        for _ in 0..10_000 {
            there.ring();
            at_home.rung().await;
        }
        echo.abort();
    }
}
