//! The interfaces of the machine as they were read last.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Host, HostError, Interface};

/// The list of interfaces, for whoever must not wait: reading it takes files for each interface and a lock of the kernel's.
/// Somebody has to [`refresh`](Self::refresh) it now and then, and after every change.
pub struct InterfaceList {
    host: Arc<dyn Host>,
    read: RwLock<Arc<Vec<Interface>>>,
}

impl InterfaceList {
    /// Reads the list for the first time. Without an answer, which is said in the log, it is empty. Blocks.
    pub fn new(host: Arc<dyn Host>) -> Self {
        let this = Self { host, read: RwLock::default() };
        if let Err(error) = this.refresh() {
            tracing::warn!(%error, "the network interfaces cannot be read");
        }
        this
    }

    /// What was read last.
    pub fn last(&self) -> Arc<Vec<Interface>> {
        Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the list again. Blocks.
    ///
    /// # Errors
    /// The machine does not say; what was read before stays.
    pub fn refresh(&self) -> Result<Vec<Interface>, HostError> {
        let interfaces = self.host.interfaces()?;
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(interfaces.clone());
        Ok(interfaces)
    }
}
