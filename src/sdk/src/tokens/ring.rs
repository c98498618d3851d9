//! The cryptography of tokens: HS256, RS256 and ES256, and nothing else, by ring.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    jwk::{EllipticCurve, ThumbprintHash},
    signature::{self, Signer, Verifier},
};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};

/// Has it used by this process. Whoever comes second does the same, so that changes nothing.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        usable(*algorithm, key.family() == algorithm.family())?;
        Ok(Box::new(Signs { algorithm: *algorithm, key: key.clone() }))
    },
    verifier_factory: |algorithm, key| {
        usable(*algorithm, key.family() == algorithm.family())?;
        Ok(Box::new(Verifies { algorithm: *algorithm, key: key.clone() }))
    },
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key,
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ec_pub_components_from_private_key,
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        compute_digest: |data, hash| match hash {
            ThumbprintHash::SHA256 => Ok(digest::digest(&digest::SHA256, data).as_ref().to_vec()),
            _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
        },
    },
};

fn usable(algorithm: Algorithm, fits: bool) -> Result<()> {
    match algorithm {
        Algorithm::HS256 | Algorithm::RS256 | Algorithm::ES256 if fits => Ok(()),
        Algorithm::HS256 | Algorithm::RS256 | Algorithm::ES256 => Err(ErrorKind::InvalidKeyFormat.into()),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

fn rsa_pub_components_from_private_key(key: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let pair = RsaKeyPair::from_der(key).map_err(|error| ErrorKind::InvalidRsaKey(error.to_string()))?;
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    Ok((public.n, public.e))
}

fn ec_pub_components_from_private_key(key: &[u8], _: Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>)> {
    let pair = ec_pair(key).map_err(|_| ErrorKind::InvalidEcdsaKey)?;
    // 4, then both coordinates: ring gives no other form
    let (x, y) = pair.public_key().as_ref().get(1..).ok_or(ErrorKind::InvalidEcdsaKey)?.split_at(32);
    Ok((EllipticCurve::P256, x.to_vec(), y.to_vec()))
}

fn ec_pair(key: &[u8]) -> std::result::Result<EcdsaKeyPair, ring::error::KeyRejected> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &SystemRandom::new())
}

struct Signs {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl JwtSigner for Signs {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Signer<Vec<u8>> for Signs {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let (key, refused) = (self.key.as_bytes(), |_| signature::Error::new());
        match self.algorithm {
            Algorithm::HS256 => Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()),
            Algorithm::RS256 => {
                let pair = RsaKeyPair::from_der(key).map_err(|_| signature::Error::new())?;
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signed).map_err(refused)?;
                Ok(signed)
            }
            _ => {
                let pair = ec_pair(key).map_err(|_| signature::Error::new())?;
                Ok(pair.sign(&SystemRandom::new(), message).map_err(refused)?.as_ref().to_vec())
            }
        }
    }
}

struct Verifies {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Verifies {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Verifies {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::HS256, DecodingKeyKind::SecretOrDer(key)) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, signed)
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signed)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signed)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| signature::Error::new())
    }
}
