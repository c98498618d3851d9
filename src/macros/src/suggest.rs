//! "Did you mean": the nearest of a few known words.

/// The known word nearest to `word`, as a question, when it is near enough to be a slip of the hand.
pub fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let near = known.iter().map(|it| (distance(word, it), it));
    let near =
        near.filter(|(d, it)| *d <= allowed || word.len() >= 3 && (it.starts_with(word) || word.starts_with(**it)));
    near.min().map(|(_, it)| format!("did you mean `{it}`?"))
}

/// How many letters differ.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            row.push((last[j] + usize::from(x != *y)).min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[b.len()]
}
