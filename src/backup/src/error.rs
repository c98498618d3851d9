//! What a backup or a restore can fail with.

use std::time::Duration;

use engine::docker;

/// Why it failed. What was there before is still there, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request to the engine.
    #[error(transparent)]
    Engine(#[from] docker::Error),
    /// The file.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The file is damaged: every member that is.
    #[error("the file is damaged: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Damaged(Vec<archive::Error>),
    /// A program of a store ended with an error.
    #[error("cannot {doing}: exit code {code}: {output}")]
    Program {
        /// `dump database eventstore of postgres`
        doing: String,
        /// Its exit code.
        code: i64,
        /// The end of its standard error.
        output: String,
    },
    /// A program of a store said something that it never says.
    #[error("cannot {doing}: unexpected answer: {answer}")]
    Answer {
        /// `read the queues of rabbitmq`
        doing: String,
        /// What it said.
        answer: String,
    },
    /// It took too long.
    #[error("cannot {doing}: not within {seconds} s")]
    TimedOut {
        /// `start a server on the restored data of redis`
        doing: String,
        /// The limit.
        seconds: u64,
    },
    /// The file does not go with this project or its servers; nothing was changed.
    #[error("this backup cannot be restored here: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// The restored data is not what was backed up.
    #[error("the restored data of {store} is not what was backed up: {difference}")]
    Different {
        /// The store.
        store: String,
        /// What differs, with both values.
        difference: String,
    },
    /// A store that was to stay as it is, since the backup holds nothing else for it, is not what it was any more.
    #[error("{store} held what the backup holds, and somebody has changed it since")]
    Changed {
        /// The store.
        store: String,
    },
    /// The present data and the restored one do not fit in beside each other.
    #[error("there is no room for the restored data of {store}: {needed} bytes, and {free} are free")]
    NoRoom {
        /// The store whose volume it is.
        store: String,
        /// Bytes in the backup, of all stores.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The restored data was in its place, and something failed then; the old data is back.
    #[error("{why}; the old data is in place again")]
    PutBack {
        /// What failed.
        #[source]
        why: Box<Error>,
    },
    /// The old data could not be put back; whoever comes next goes on with it.
    #[error("{why}; and the old data could not be put back: {stuck}")]
    HalfWay {
        /// What failed first.
        #[source]
        why: Box<Error>,
        /// What failed when that was to be undone.
        stuck: Box<Error>,
    },
    /// An interrupted restore cannot be ended, because something of it is gone.
    #[error("cannot end an interrupted restore of {store}: {why}")]
    Stuck {
        /// The store.
        store: String,
        /// What is missing.
        why: String,
    },
    /// Another banyan is at work on the project.
    #[error("another banyan works on project {project}: {owner}")]
    Busy {
        /// The project.
        project: String,
        /// `process 812 on laptop`
        owner: String,
        /// True when it cannot be told from here whether it still is.
        elsewhere: bool,
    },
    /// A store did not come up with the restored data.
    #[error("{store} does not come up with the restored data: {why}")]
    NotReady {
        /// The store.
        store: String,
        /// What was waited for, and what came instead.
        why: String,
    },
    /// A tar archive in the file holds what no backup has.
    #[error("the file is not to be trusted: {member}: {why}")]
    Hostile {
        /// The member.
        member: String,
        /// What is in it.
        why: String,
    },
    /// SQL text could not be written.
    #[error("cannot write the SQL: {0}")]
    Write(#[source] std::io::Error),
    /// SQL text could not be read.
    #[error("cannot read the SQL: {0}")]
    Read(#[source] std::io::Error),
    /// Nothing that could be backed up runs.
    #[error("there is nothing to back up: no store of project {project} runs")]
    Nothing {
        /// The project.
        project: String,
    },
    /// One store cannot be backed up.
    #[error("cannot back up {store}: {why}")]
    Store {
        /// The store.
        store: String,
        /// What went wrong with it.
        #[source]
        why: Box<Error>,
    },
    /// Everything would have stood still for longer than it may.
    #[error("the copy of the queues was not complete within {} s, the longest that anything may stand still", .limit.as_secs_f64())]
    TooLong {
        /// The longest time.
        limit: Duration,
        /// Bytes that were copied by then.
        copied: u64,
    },
    /// Somebody asked for an end.
    #[error("interrupted")]
    Interrupted,
    /// Work that was handed to another thread ended in a panic.
    #[error("a task of the backup ended by itself")]
    Lost,
}

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same as a matter of one store, unless it is one of the file or of the whole.
    pub(crate) fn of(self, store: &str) -> Self {
        match self {
            Self::Archive(_) | Self::Interrupted | Self::Lost | Self::Store { .. } | Self::TooLong { .. } => self,
            Self::Engine(docker::Error::Transport { .. }) => self,
            why => Self::Store { store: store.to_owned(), why: Box::new(why) },
        }
    }
}
