//! Lines out of the pieces in which the engine hands output over.

/// What has come of a line so far.
#[derive(Default)]
pub struct Pieces {
    rest: Vec<u8>,
}

impl Pieces {
    /// The lines that a piece completes.
    ///
    /// The engine cuts a line that is longer than 16 KiB, maybe in the middle of a character, and puts the time before
    /// every piece of it.
    pub fn add(&mut self, piece: &[u8]) -> Vec<String> {
        let piece = if self.rest.is_empty() { piece } else { without_time(piece) };
        self.rest.extend_from_slice(piece);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(text(&line));
        }
        lines
    }

    /// What is left without a line end.
    pub fn end(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| text(&rest))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// The piece without `2026-01-02T03:04:05.678901234Z ` at its start.
fn without_time(piece: &[u8]) -> &[u8] {
    let Some(space) = piece.iter().take(40).position(|b| *b == b' ') else { return piece };
    let time = &piece[..space];
    let fits = time.len() >= 20
        && time.iter().all(|b| b.is_ascii_digit() || b"-:.TZ+".contains(b))
        && time[4] == b'-'
        && time[10] == b'T';
    if fits { &piece[space + 1..] } else { piece }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678901234Z ";

    #[test]
    fn a_character_may_be_cut_and_the_time_of_the_second_half_goes() {
        let mut pieces = Pieces::default();
        let (front, back) = "grün\n".as_bytes().split_at(3);
        assert_eq!(pieces.add(&[TIME.as_bytes(), front].concat()), [""; 0]);
        assert_eq!(pieces.add(&[TIME.as_bytes(), back].concat()), [format!("{TIME}grün")]);
        assert_eq!(pieces.end(), None);
    }

    #[test]
    fn a_piece_may_hold_many_lines_or_no_end() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.add(b"a\r\nb\nc"), ["a", "b"]);
        assert_eq!(pieces.add(b"2026 is no time"), [""; 0]);
        assert_eq!(pieces.end().as_deref(), Some("c2026 is no time"));
    }
}
