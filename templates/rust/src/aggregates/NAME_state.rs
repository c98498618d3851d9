//! What decisions about one {{ words }} need to know.

use banyan_sdk::store::Recorded;
use banyan_sdk::{Aggregate, Event};

use crate::events::{{ snake }}_confirmed::{{ pascal }}Confirmed;

/// Follows from its events.
#[derive(Debug, Clone, Default)]
pub struct {{ pascal }}State {
    confirmed: bool,
}

impl Aggregate for {{ pascal }}State {
    const TYPE: &'static str = "{{ pascal }}";

    fn apply(&mut self, event: &Recorded) -> Result<(), serde_json::Error> {
        if event.event_type == {{ pascal }}Confirmed::EVENT_TYPE {
            self.confirmed = true;
        }
        Ok(())
    }
}

impl {{ pascal }}State {
    /// Confirms it, once.
    pub fn confirm(&self, id: String) -> Option<{{ pascal }}Confirmed> {
        (!self.confirmed).then_some({{ pascal }}Confirmed { id })
    }
}

#[cfg(test)]
mod tests {
    use banyan_sdk::testing::Scenario;

    use super::*;

    #[test]
    fn it_is_confirmed_once() {
        let confirmed = {{ pascal }}Confirmed { id: "1".to_owned() };
        let before = Scenario::<{{ pascal }}State>::new("1");
        assert_eq!(before.state().confirm("1".to_owned()), Some(confirmed.clone()));
        assert_eq!(before.given(confirmed).state().confirm("1".to_owned()), None);
    }
}
