//! Work that waits for the disk, called from code that cannot await.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does work that may wait for the disk. The other tasks of this thread are carried on by another one meanwhile.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let others_depend = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if others_depend { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn it_works_outside_of_a_runtime_and_on_one_thread() {
        assert_eq!(blocking(|| 1), 1);
        let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(single.block_on(async { blocking(|| 2) }), 2);
    }

    #[test]
    fn others_go_on_though_there_is_one_worker() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (told, hears) = mpsc::channel();
        let waiting = runtime.spawn(async move { blocking(|| hears.recv_timeout(Duration::from_secs(10))) });
        // Only a worker that is free can run it.
        runtime.spawn(async move { told.send(3) });
        assert_eq!(runtime.block_on(waiting).unwrap(), Ok(3));
    }
}
