//! A session with a database that stays open between two questions.

use engine::docker::process::{Input, Output};

use super::Server;
use crate::error::{Error, Result};

/// What stands after the last line of an answer.
const END: &str = "banyan: end of the answer";

/// Not every version knows all of them.
const NO_LIMITS: &str = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', \
    'lock_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');";

/// `psql` in the container, held open.
pub struct Session {
    pub(super) database: String,
    service: String,
    input: Input,
    output: Option<Output>,
    read: Vec<u8>,
}

impl Session {
    pub(super) async fn open(server: &Server<'_>, database: &str) -> Result<Self> {
        let args = ["psql", "-qAtX", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database];
        let process = server.engine.start(&server.container, &server.command(&args)).await?;
        let (input, output) = (process.input, Some(process.output));
        let (database, service) = (database.to_owned(), server.service.clone());
        let mut session = Self { database, service, input, output, read: Vec::new() };
        // logged in before it counts; and nothing ends a session that waits for a long dump
        session.ask(NO_LIMITS).await?;
        Ok(session)
    }

    /// The lines of the answer.
    pub(super) async fn ask(&mut self, statements: &str) -> Result<Vec<String>> {
        let written = self.input.write(format!("{statements}\nSELECT '{END}';\n").as_bytes()).await;
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.read.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                if line == END {
                    return Ok(lines);
                }
                lines.push(line);
            }
            let Some(output) = self.output.as_mut() else { return Err(self.ended(-1, String::new())) };
            match output.next().await? {
                Some(bytes) => self.read.extend_from_slice(&bytes),
                None => {
                    let Some(output) = self.output.take() else { return Err(self.ended(-1, String::new())) };
                    let ended = output.end().await?;
                    // its own words are worth more than the broken pipe
                    return match written {
                        Err(error) if ended.output.is_empty() => Err(error.into()),
                        _ => Err(self.ended(ended.code, ended.output)),
                    };
                }
            }
        }
    }

    fn ended(&self, code: i64, output: String) -> Error {
        Error::Program { doing: format!("query database {} of {}", self.database, self.service), code, output }
    }
}
