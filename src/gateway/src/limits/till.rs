//! Where all instances take their cells from: a script in Redis, by the clock of Redis.

use std::sync::LazyLock;

use banyan_sdk::shared::{Away, Script, Shared};

use super::book::{Answer, Question};

/// A caller is a hash: when all of its cells will be back (`tat`), and since when that was never so (`since`). It is
/// deleted when they are.
///
/// * A clock that went backwards costs no more than a whole set of cells.
/// * What comes back counts when the cells have not all been back since it was taken; else it is out of date.
/// * What an instance let through while it could not ask is added; and what it let through in all is the least that must
///   be missing, also when Redis has lost what it knew.
/// * Beside the cells that are needed, at most a quarter of the others is given away.
const TAKE: &str = "
local cell, requests, need, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local given, taken, used, untold = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = redis.call('HMGET', KEYS[1], 'tat', 'since')
local tat, since = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
local all = cell * requests
tat = math.min(tat, now + all)
if tat <= now then tat = now; since = now end
if given > 0 and taken >= since then
  tat = tat - given * cell
  if tat <= now then tat = now; since = now end
end
tat = math.min(math.max(tat + untold, now + used), now + all)
local free, granted = math.floor((now + all - tat) / cell), 0
if free >= need then granted = need + math.min(want, math.floor((free - need) / 4)) end
tat = tat + granted * cell
if tat > now then
  redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', tat), 'since', string.format('%.0f', since))
  redis.call('PEXPIRE', KEYS[1], math.ceil((tat - now) / 1000) + 1)
else
  redis.call('DEL', KEYS[1])
end
return { granted, tat - now, now }";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(TAKE));

/// Asks it.
pub(super) async fn ask(shared: &Shared, key: &str, question: &Question) -> Result<Answer, Away> {
    let Question { rule, need, want, given, taken, used, untold } = *question;
    let numbers = [rule.cell(), rule.requests.into(), need.into(), want.into(), given.into(), taken, used, untold];
    let args = numbers.map(|number| number.to_string());
    let answer = shared.eval(&SCRIPT, &[&format!("limit:{key}")], &args).await?;
    let [granted, ahead, now] = answer[..] else { return Err(Away) };
    Ok(Answer { granted: number(granted), ahead: number(ahead), now: number(now) })
}

fn number<N: TryFrom<i64> + Default>(number: i64) -> N {
    N::try_from(number).unwrap_or_default()
}

/// The same in this process, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Till(std::collections::HashMap<String, (u64, u64)>);

#[cfg(test)]
impl Till {
    pub(super) fn ask(&mut self, key: &str, question: &Question, now: u64) -> Answer {
        let Question { rule, need, want, given, taken, used, untold } = *question;
        let (mut tat, mut since) = self.0.get(key).copied().unwrap_or_default();
        tat = tat.min(now + rule.all());
        if tat <= now {
            (tat, since) = (now, now);
        }
        if given > 0 && taken >= since {
            tat = tat.saturating_sub(rule.cells(given));
            if tat <= now {
                (tat, since) = (now, now);
            }
        }
        tat = (tat + untold).max(now + used).min(now + rule.all());
        let free = rule.free(tat - now);
        let granted = if free >= need { need + want.min((free - need) / 4) } else { 0 };
        tat += rule.cells(granted);
        self.0.insert(key.to_owned(), (tat, since));
        Answer { granted, ahead: tat - now, now }
    }

    /// Forgets everything.
    pub(super) fn flush(&mut self) {
        self.0.clear();
    }
}
