//! One token: signed, checked for the first time, checked again.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use banyan_sdk::{
    config::{Config, Reader},
    protocol::Auth,
    tokens::{Keys, Verifier},
};

use crate::{
    Options, Result,
    report::{Level, Report},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RSA: &str = include_str!("../../../src/sdk/tests/keys/rsa.pem");
const EC: &str = include_str!("../../../src/sdk/tests/keys/ec.pem");

/// How many tokens are made and checked in a round.
const TOKENS: usize = 2_000;
/// How often each is checked again.
const AGAIN: usize = 20;

fn keys(settings: &[(&str, &str)]) -> Result<Keys> {
    let env = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut reader = Reader::new(&env);
    let config = Config::read(&mut reader, "auth-service", 3001);
    let keys = config.and_then(|config| Keys::read(&mut reader, &config, true));
    Ok(reader.finish(keys)?)
}

/// What never waits, without a runtime that would be measured as well.
fn now<F: Future>(work: F) -> Result<F::Output> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err("a check that needs no other issuer waits".into()),
    }
}

fn microseconds(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

pub fn tokens(options: &Options, report: &mut Report) -> Result<()> {
    for (algorithm, setting) in
        [("HS256", ("JWT_SECRET", SECRET)), ("RS256", ("JWT_PRIVATE_KEY", RSA)), ("ES256", ("JWT_PRIVATE_KEY", EC))]
    {
        let (mut made, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let mut keys = keys(&[setting])?;
            let signer = keys.signer().ok_or("nothing signs")?;
            let verifier = Verifier::new(keys);
            let count = if algorithm == "RS256" { TOKENS / 10 } else { TOKENS };
            let auth = |number: usize| Auth {
                user_id: format!("usr_{number:032x}"),
                permissions: (0..10).map(|it| format!("resource-{it}:action")).collect(),
                email: Some(format!("user{number}@example.com")),
                ..Auth::default()
            };
            let began = Instant::now();
            let tokens: Vec<_> =
                (0..count).map(|it| signer.sign(&auth(it), SystemTime::now())).collect::<Result<_, _>>()?;
            made.push(microseconds(began.elapsed(), count));
            for (times, repeated) in [(&mut first, 1), (&mut again, AGAIN)] {
                let began = Instant::now();
                for _ in 0..repeated {
                    for token in &tokens {
                        now(verifier.verify(token, SystemTime::now()))??;
                    }
                }
                times.push(microseconds(began.elapsed(), count * repeated));
            }
        }
        report.plain(format!("{algorithm}: signed"), "us", &made, Level::NONE);
        report.plain(format!("{algorithm}: checked for the first time"), "us", &first, Level::NONE);
        // a gateway that answers 10,000 requests a second on a core has 100 us for each
        report.plain(format!("{algorithm}: checked again"), "us", &again, Level::at_most(10.0).goal(3.0));
    }
    Ok(())
}
