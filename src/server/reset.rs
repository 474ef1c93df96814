//! Factory defaults. A request is kept in the store and carried out at the next start, before anything is opened: so it is
//! whole even if the power goes, and nothing that still runs can write over it.

use serde::{Deserialize, Serialize};

use super::machine::SIMULATED;
use crate::store::{self, Store, StoreError};

/// The setting that holds a request.
const REQUEST: &str = "server.reset";

/// How much is forgotten. Who the cameras are (UUID, serial number, realm) never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reset {
    /// What doors have set of the cameras and of how they are found.
    Soft,
    /// That, the users and what was set of a simulated machine.
    Hard,
}

/// Keeps a request. Blocks on the disk.
///
/// # Errors
/// The store fails.
pub(super) fn ask(store: &Store, reset: Reset) -> Result<(), StoreError> {
    store.write(|tx| store::put_setting(tx, REQUEST, &reset))
}

/// Carries out a request, if there is one, as a whole. Blocks on the disk.
///
/// # Errors
/// The store fails; nothing is forgotten then.
pub(super) fn carry_out(store: &Store) -> Result<Option<Reset>, StoreError> {
    store.write(|tx| {
        let Some(reset) = store::get_setting(tx, REQUEST)? else { return Ok(None) };
        let cameras = store::settings_under(tx, "camera.")?;
        let presence = store::settings_under(tx, "device.")?.into_iter().filter(|key| key.ends_with(".presence"));
        for key in cameras.into_iter().chain(presence) {
            store::remove_setting(tx, &key)?;
        }
        if reset == Reset::Hard {
            store::replace_users(tx, &[])?;
            store::remove_setting(tx, SIMULATED)?;
        }
        store::remove_setting(tx, REQUEST)?;
        Ok(Some(reset))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::MIGRATIONS, store::UserRow};

    const KEYS: [&str; 6] = [
        "auth.realm",
        "camera.cam.definitions.hi-def",
        "device.cam.identity",
        "device.cam.presence",
        "device.seed",
        SIMULATED,
    ];

    fn furnished(directory: &tempfile::TempDir) -> Store {
        let store = Store::open(&directory.path().join("test.db"), MIGRATIONS).unwrap();
        let user = UserRow { name: "admin".into(), level: "Administrator".into(), sealed: vec![1] };
        store
            .write(|tx| {
                KEYS.iter().try_for_each(|key| store::put_setting(tx, key, "x"))?;
                store::replace_users(tx, &[user])
            })
            .unwrap();
        store
    }

    fn left(store: &Store) -> (Vec<String>, usize) {
        let keys = store.read(|connection| store::settings_under(connection, "")).unwrap();
        (keys, store.read(store::all_users).unwrap().len())
    }

    #[test]
    fn soft_forgets_what_doors_set_and_hard_the_users_too() {
        let directory = tempfile::tempdir().unwrap();
        let store = furnished(&directory);
        assert_eq!(carry_out(&store).unwrap(), None);
        assert_eq!(left(&store), (KEYS.map(str::to_owned).to_vec(), 1));
        ask(&store, Reset::Soft).unwrap();
        assert_eq!(carry_out(&store).unwrap(), Some(Reset::Soft));
        let kept = ["auth.realm", "device.cam.identity", "device.seed", SIMULATED].map(str::to_owned);
        assert_eq!(left(&store), (kept.to_vec(), 1));
        ask(&store, Reset::Hard).unwrap();
        assert_eq!(carry_out(&store).unwrap(), Some(Reset::Hard));
        assert_eq!(left(&store), (kept[..3].to_vec(), 0));
        assert_eq!(carry_out(&store).unwrap(), None, "once");
    }
}
