//! Encrypted archives: who can open them, and who cannot.

use std::str::FromStr as _;

use age::secrecy::ExposeSecret as _;
use archive::{Error, Sealing, Unsealing};

use crate::support::{Members, PART, Random, bytes, json, members, open, read_all, verify};

fn content() -> Members {
    members(&[("a", &json(2 * PART)), ("b", &Random(1).bytes(100_000)), ("c", b"")])
}

fn pair() -> (String, String) {
    let identity = age::x25519::Identity::generate();
    (identity.to_public().to_string(), identity.to_string().expose_secret().to_owned())
}

#[test]
fn for_a_passphrase() {
    let members = content();
    let ours = bytes(&members, &Sealing::passphrase("correct horse".into()));
    let archive = verify(&ours, &Unsealing::passphrase("correct horse".into())).unwrap();
    assert!(archive.is_sealed());
    assert!(read_all(&archive) == members);
    // what is in it does not show
    assert!(!ours.windows(13).any(|it| it == b"manifest.json"));
    let error = open(&ours, &Unsealing::passphrase("battery staple".into())).unwrap_err();
    assert_eq!(error.to_string(), "`-` is not opened by this passphrase");
    let error = open(&ours, &Unsealing::none()).unwrap_err();
    assert_eq!(error.to_string(), "`-` is encrypted: its passphrase is needed");
    let (_, key) = pair();
    let error = open(&ours, &Unsealing::identities(&key).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "`-` is not opened by this key");
}

#[test]
fn for_recipients() {
    let members = content();
    let ((first, first_key), (second, second_key), (_, other_key)) = (pair(), pair(), pair());
    let ours = bytes(&members, &Sealing::recipients([&first, &second]).unwrap());
    let file = format!("# created: today\n\n{other_key}\n  {second_key}\n");
    for keys in [&first_key, &second_key, &file] {
        assert!(read_all(&verify(&ours, &Unsealing::identities(keys).unwrap()).unwrap()) == members);
    }
    let error = open(&ours, &Unsealing::identities(&other_key).unwrap()).unwrap_err();
    assert!(matches!(error, Error::WrongKey { given: "key", .. }), "{error}");
    let error = open(&ours, &Unsealing::passphrase("x".into())).unwrap_err();
    assert!(matches!(error, Error::WrongKey { given: "passphrase", .. }), "{error}");
    let error = open(&ours, &Unsealing::none()).unwrap_err();
    assert_eq!(error.to_string(), "`-` is encrypted: a key is needed");
}

#[test]
fn for_as_many_as_there_can_be() {
    let (last, key) = pair();
    let mut recipients: Vec<String> = (1..100).map(|_| pair().0).collect();
    recipients.push(last);
    let members = members(&[("a", b"x")]);
    let ours = bytes(&members, &Sealing::recipients(&recipients).unwrap());
    assert!(read_all(&verify(&ours, &Unsealing::identities(&key).unwrap()).unwrap()) == members);
    recipients.push(pair().0);
    assert!(matches!(Sealing::recipients(&recipients), Err(Error::TooManyRecipients { most: 100 })));
}

#[test]
fn any_age_program_opens_it_and_makes_it() {
    let members = content();
    let plain = bytes(&members, &Sealing::none());
    let (recipient, key) = pair();
    let sealed = bytes(&members, &Sealing::recipients([&recipient]).unwrap());
    let identity = age::x25519::Identity::from_str(&key).unwrap();
    assert!(age::decrypt(&identity, &sealed).unwrap() == plain);
    let theirs = age::encrypt(&identity.to_public(), &plain).unwrap();
    assert!(read_all(&verify(&theirs, &Unsealing::identities(&key).unwrap()).unwrap()) == members);
}

#[test]
fn what_is_given_without_need_does_no_harm() {
    let ours = bytes(&content(), &Sealing::none());
    let archive = verify(&ours, &Unsealing::passphrase("x".into())).unwrap();
    assert!(!archive.is_sealed());
}

#[test]
fn what_is_no_key() {
    let (recipient, key) = pair();
    assert!(matches!(Sealing::recipients(["age1x"]), Err(Error::Recipient { .. })));
    assert!(matches!(Sealing::recipients([&key]), Err(Error::Recipient { .. })));
    assert!(matches!(Sealing::recipients([""; 0]), Err(Error::NoKey { .. })));
    assert!(matches!(Unsealing::identities("# nothing\n"), Err(Error::NoKey { .. })));
    let error = Unsealing::identities(&format!("{key}\n{recipient}")).unwrap_err();
    assert!(matches!(error, Error::Identity { line: 2 }), "{error}");
    // neither in messages nor for debugging
    let wrong = Unsealing::identities(&key[..key.len() - 1]).unwrap_err();
    assert!(!wrong.to_string().contains(&key[20..30]) && !format!("{wrong:?}").contains(&key[20..30]));
    assert_eq!(format!("{:?}", Unsealing::identities(&key).unwrap()), "Unsealing::identities");
    assert_eq!(format!("{:?}", Sealing::passphrase("secret".into())), "Sealing::passphrase");
}

#[test]
fn nobody_makes_it_work_for_hours() {
    let ours = bytes(&members(&[]), &Sealing::passphrase("x".into()));
    let line_end = ours.iter().skip(22).position(|b| *b == b'\n').unwrap() + 22;
    assert_eq!(&ours[line_end - 3..line_end], b" 15");
    let mut hostile = ours;
    hostile[line_end - 2..line_end].copy_from_slice(b"40");
    let error = open(&hostile, &Unsealing::passphrase("x".into())).unwrap_err();
    assert!(matches!(error, Error::TooMuchWork { required: 40, .. }), "{error}");
}

#[test]
fn headers_that_do_not_end() {
    let mut hostile = b"age-encryption.org/v1\n".to_vec();
    for i in 0..100_000 {
        hostile.extend_from_slice(format!("-> X25519 {i}\nAAAA\n").as_bytes());
    }
    for unsealing in [Unsealing::none(), Unsealing::passphrase("x".into())] {
        let error = open(&hostile, &unsealing).unwrap_err();
        assert!(matches!(error, Error::SealBroken { .. }), "{error}");
    }
    let endless = [b"age-encryption.org/v1\n-> X25519 ".to_vec(), vec![b'a'; 1 << 20]].concat();
    let error = open(&endless, &Unsealing::none()).unwrap_err();
    assert!(matches!(error, Error::SealBroken { .. }), "{error}");
}
