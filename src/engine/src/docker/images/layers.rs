//! Layers of one pull, summed.

use std::collections::HashMap;

/// Bytes done and bytes in all, by layer. The engine tells a layer's size when its download begins, so the sum grows
/// while the first layers are under way.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: HashMap<String, (u64, u64)>,
}

impl Layers {
    /// One line of the engine's news. True when the sum may have changed.
    pub(super) fn note(&mut self, id: &str, status: &str, current: Option<i64>, total: Option<i64>) -> bool {
        let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        match status {
            "Downloading" => {
                let layer = self.layers.entry(id.to_owned()).or_default();
                *layer = (bytes(current), bytes(total).max(layer.1));
                true
            }
            "Download complete" | "Pull complete" | "Verifying Checksum" | "Extracting" => {
                self.layers.get_mut(id).is_some_and(|layer| {
                    let changed = layer.0 != layer.1;
                    layer.0 = layer.1;
                    changed
                })
            }
            _ => false,
        }
    }

    /// Bytes done and bytes in all.
    pub(super) fn sum(&self) -> (u64, u64) {
        self.layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_summed_and_extraction_counts_no_bytes() {
        let mut layers = Layers::default();
        assert!(!layers.note("a", "Pulling fs layer", None, None));
        assert!(layers.note("a", "Downloading", Some(10), Some(100)));
        assert!(layers.note("b", "Downloading", Some(5), Some(50)));
        assert_eq!(layers.sum(), (15, 150));
        assert!(layers.note("a", "Download complete", None, None));
        assert!(!layers.note("a", "Extracting", Some(1), Some(100)));
        assert!(!layers.note("c", "Already exists", None, None));
        assert_eq!(layers.sum(), (105, 150));
    }
}
