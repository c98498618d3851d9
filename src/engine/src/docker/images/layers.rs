//! Layers of one pull: how far each of them is, and all together.

use std::collections::HashMap;

use crate::progress::Phase;

/// Layers by id. The engine tells a layer's size when its download begins, so the sum grows while the first layers are
/// under way.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: HashMap<String, Layer>,
}

#[derive(Debug, Default)]
struct Layer {
    done: u64,
    all: u64,
    is_here: bool,
}

impl Layers {
    /// One line of the engine's news: how far the layer is, if it is about one.
    pub(super) fn note(&mut self, id: &str, status: &str, current: Option<i64>, total: Option<i64>) -> Option<Phase> {
        let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let (current, total) = (bytes(current), bytes(total));
        let phase = match status {
            "Pulling fs layer" | "Waiting" => Phase::Doing("waiting"),
            "Downloading" => Phase::Bytes("downloading", current, total),
            "Verifying Checksum" => Phase::Doing("verifying"),
            "Download complete" => Phase::Reached("downloaded"),
            // newer engines count seconds, and say no total
            "Extracting" if total == 0 => Phase::Doing("extracting"),
            "Extracting" => Phase::Bytes("extracting", current, total),
            "Pull complete" => Phase::Done("pulled"),
            "Already exists" => Phase::Done("here"),
            _ => return None,
        };
        let layer = self.layers.entry(id.to_owned()).or_default();
        match phase {
            Phase::Bytes("downloading", ..) => (layer.done, layer.all) = (current, total.max(layer.all)),
            // a new try
            Phase::Doing("waiting") => *layer = Layer::default(),
            _ => layer.done = layer.all,
        }
        layer.is_here = matches!(phase, Phase::Done(_));
        Some(phase)
    }

    /// How far all of them are: bytes of downloads, and layers.
    pub(super) fn sum(&self) -> (Phase, String) {
        let layers = self.layers.values();
        let (done, all) = layers.clone().fold((0, 0), |sum, layer| (sum.0 + layer.done, sum.1 + layer.all));
        let here = layers.clone().filter(|layer| layer.is_here).count();
        let phase = if all == 0 { Phase::Doing("pulling") } else { Phase::Bytes("pulling", done, all) };
        let s = if self.layers.len() == 1 { "" } else { "s" };
        (phase, format!("{here} of {} layer{s}", self.layers.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_is_told_and_all_are_summed() {
        let mut layers = Layers::default();
        assert_eq!(layers.note("16-alpine", "Pulling from library/postgres", None, None), None);
        assert_eq!(layers.note("", "Digest: sha256:00", None, None), None);
        assert_eq!(layers.note("a", "Pulling fs layer", None, None), Some(Phase::Doing("waiting")));
        assert_eq!(layers.sum(), (Phase::Doing("pulling"), "0 of 1 layer".to_owned()));
        let news = layers.note("a", "Downloading", Some(10), Some(100));
        assert_eq!(news, Some(Phase::Bytes("downloading", 10, 100)));
        layers.note("b", "Downloading", Some(5), Some(50));
        assert_eq!(layers.sum(), (Phase::Bytes("pulling", 15, 150), "0 of 2 layers".to_owned()));
        assert_eq!(layers.note("a", "Download complete", None, None), Some(Phase::Reached("downloaded")));
        assert_eq!(layers.note("c", "Already exists", None, None), Some(Phase::Done("here")));
        assert_eq!(layers.sum(), (Phase::Bytes("pulling", 105, 150), "1 of 3 layers".to_owned()));
    }

    #[test]
    fn extraction_counts_as_no_download() {
        let mut layers = Layers::default();
        layers.note("a", "Downloading", Some(10), Some(100));
        let news = layers.note("a", "Extracting", Some(300), Some(400));
        assert_eq!(news, Some(Phase::Bytes("extracting", 300, 400)));
        assert_eq!(layers.note("a", "Extracting", Some(3), None), Some(Phase::Doing("extracting")), "seconds");
        assert_eq!(layers.sum(), (Phase::Bytes("pulling", 100, 100), "0 of 1 layer".to_owned()));
        layers.note("a", "Pull complete", None, None);
        assert_eq!(layers.sum().1, "1 of 1 layer");
    }

    #[test]
    fn a_download_that_begins_anew_counts_from_the_beginning() {
        let mut layers = Layers::default();
        layers.note("a", "Downloading", Some(90), Some(100));
        layers.note("a", "Pulling fs layer", None, None);
        assert_eq!(layers.sum(), (Phase::Doing("pulling"), "0 of 1 layer".to_owned()));
    }
}
