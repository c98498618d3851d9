//! Which events there are, by the names that clients call them, and who may be told of them.

use std::{collections::HashMap, sync::Arc};

use banyan_sdk::protocol::{Fault, names};

use super::event::Event;
use crate::{
    caller::Caller,
    catalog::{Catalog, Operation},
};

/// The events of a catalog. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<HashMap<String, Vec<Arc<Operation>>>>);

/// What a client means by a name.
#[derive(Clone)]
pub(super) struct Meant {
    /// The word of the routing key.
    pub word: String,
    /// The contracts: one for each service that publishes it.
    pub contracts: Vec<Arc<Operation>>,
}

impl Known {
    /// The events of a catalog.
    pub(crate) fn new(catalog: &Arc<Catalog>) -> Self {
        let mut known: HashMap<String, Vec<Arc<Operation>>> = HashMap::new();
        for operation in &catalog.events {
            let word = names::event_word(&operation.contract.message_type);
            known.entry(word).or_default().push(operation.clone());
        }
        Self(Arc::new(known))
    }

    /// What `name` means: the event that is called so, else those whose last segment is the same, so that both
    /// `UserCreated` and `User.Events.UserCreated` are found.
    pub(super) fn find(&self, name: &str) -> Option<Meant> {
        let word = names::event_word(name);
        let all = self.0.get(&word).filter(|_| names::is_message_type(name))?;
        let exact: Vec<_> = all.iter().filter(|it| it.contract.message_type == name).cloned().collect();
        Some(Meant { word, contracts: if exact.is_empty() { all.clone() } else { exact } })
    }

    /// The contracts that decide who may be told of an event: that of its publisher; all of that name when the publisher
    /// has none.
    pub(super) fn of(&self, event: &Event) -> Vec<Arc<Operation>> {
        let all = self.0.get(&event.word()).map(Vec::as_slice).unwrap_or_default();
        let exact: Vec<_> = all.iter().filter(|it| it.contract.message_type == event.event_type).cloned().collect();
        let named = if exact.is_empty() { all.to_vec() } else { exact };
        match named.iter().find(|it| it.service.as_str() == event.service) {
            Some(its_own) => vec![its_own.clone()],
            None => named,
        }
    }

    /// The names of all events that `caller` may be told of.
    pub(super) fn open_to(&self, caller: &Caller) -> Vec<String> {
        let all = self.0.values().flatten().filter(|it| caller.admit(&it.contract).is_ok());
        let mut names: Vec<String> = all.map(|it| it.contract.message_type.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Meant {
    /// Whether `caller` may be told of it, when one of its publishers says so.
    ///
    /// # Errors
    /// As the first publisher says.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), Fault> {
        let mut answers = self.contracts.iter().map(|it| caller.admit(&it.contract));
        let first = answers.next().unwrap_or(Ok(()));
        if first.is_err() && answers.any(|answer| answer.is_ok()) { Ok(()) } else { first }
    }

    /// Whether an event with these contracts is meant.
    pub(super) fn means(&self, event: &Event, contracts: &[Arc<Operation>]) -> bool {
        let called = |it: &Arc<Operation>, name: &str| it.contract.message_type == name;
        self.contracts.iter().any(|meant| {
            called(meant, &event.event_type) || contracts.iter().any(|it| called(it, &meant.contract.message_type))
        })
    }
}

/// Whether `caller` may be told of an event with these contracts.
pub(super) fn may_see(caller: &Caller, contracts: &[Arc<Operation>]) -> bool {
    contracts.iter().all(|it| caller.admit(&it.contract).is_ok())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::events::event::tests::envelope;
    use crate::events::support::{caller, catalog};

    fn named(known: &Known, name: &str) -> Vec<String> {
        let found = known.find(name).map(|it| it.contracts).unwrap_or_default();
        found.iter().map(|it| format!("{}/{}", it.service, it.contract.message_type)).collect()
    }

    #[test]
    fn long_and_short_names_are_found() {
        let known = Known::new(&catalog(&[
            ("a", "UserCreated", &[]),
            ("b", "UserCreated", &[]),
            ("c", "Shop.Events.OrderPlaced", &[]),
            ("d", "Bar.Events.OrderPlaced", &[]),
        ]));
        assert_eq!(named(&known, "UserCreated"), ["a/UserCreated", "b/UserCreated"]);
        assert_eq!(named(&known, "User.Events.UserCreated"), ["a/UserCreated", "b/UserCreated"]);
        assert_eq!(named(&known, "Shop.Events.OrderPlaced"), ["c/Shop.Events.OrderPlaced"]);
        assert_eq!(named(&known, "OrderPlaced").len(), 2);
        for unknown in ["", "UserDeleted", "*", "*.usercreated", "UserCreated.", "User Created"] {
            assert_eq!(named(&known, unknown), [""; 0], "{unknown}");
        }
    }

    #[test]
    fn the_publisher_says_who_may_see() {
        let known = Known::new(&catalog(&[
            ("user-service", "UserCreated", &["users:read"]),
            ("other", "UserCreated", &["other:read"]),
        ]));
        let event = |service: &str| {
            let envelope = banyan_sdk::protocol::Envelope {
                service_name: service.to_owned(),
                ..envelope("UserCreated", "1", "{}")
            };
            Event::new(envelope, 1)
        };
        let sees = |permissions: &[&str], service: &str| may_see(&caller(permissions), &known.of(&event(service)));
        assert!(sees(&["users:read"], "user-service") && !sees(&["users:read"], "other"));
        assert!(!sees(&["users:read"], "a-stranger"), "all are needed where nobody says which");
        assert!(sees(&["users:read", "other:read"], "a-stranger"));

        let meant = known.find("UserCreated").unwrap();
        assert!(meant.admit(&caller(&["other:read"])).is_ok());
        assert!(meant.admit(&caller(&["x:y"])).is_err());
        assert_eq!(known.open_to(&caller(&["other:read"])), ["UserCreated"]);
        assert_eq!(known.open_to(&caller(&[])), [""; 0]);
    }

    #[test]
    fn one_of_two_with_the_same_last_segment_can_be_meant() {
        let known = Known::new(&catalog(&[("a", "Shop.Events.Closed", &[]), ("b", "Bar.Events.Closed", &[])]));
        let event = |event_type: &str| Event::new(envelope(event_type, "1", "{}"), 1);
        let means = |name: &str, event_type: &str| {
            let event = event(event_type);
            known.find(name).unwrap().means(&event, &known.of(&event))
        };
        assert!(means("Shop.Events.Closed", "Shop.Events.Closed") && !means("Shop.Events.Closed", "Bar.Events.Closed"));
        assert!(means("Closed", "Shop.Events.Closed") && means("Closed", "Bar.Events.Closed"));
        assert!(means("Shop.Events.Closed", "Closed"), "a publisher may leave the segments out");
    }
}
