//! Ed25519 keys by name, as C2SP signed notes use them: whose signature counts, and a signer without a key service.
//!
//! Invariant: a [`VerifyingKey`] is a canonical curve point of large order under a name that a note can carry, and a
//! signature by it has one encoding; what verifies here verifies under RFC 8032's strictest reading.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use zeroize::Zeroizing;

/// What a key signs, and how: the signature type byte of C2SP signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// A log's key: Ed25519 over the note's text (0x01).
    Log,
    /// A witness's key: Ed25519 over time and text (0x04), a C2SP cosignature/v1.
    Witness,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// A named public key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    kind: KeyKind,
    id: u32,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// A key from its 32 bytes.
    pub fn new(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = ed25519_dalek::VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::NotAPoint)?;
        // The library takes other spellings of a point, and points of small order, under which one signature fits many
        // messages.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != public_key {
            return Err(KeyError::NotAPoint);
        }
        Ok(Self { name: name.to_owned(), kind, id: key_id(name, kind, public_key), key })
    }

    /// A key from a verifier key's text, `<name>+<8 hex digits>+<base64>`; any other spelling is refused.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Format)?;
        let (_, encoded) = rest.split_once('+').ok_or(KeyError::Format)?;
        let material = STANDARD.decode(encoded).map_err(|_| KeyError::Format)?;
        let (kind, public_key) = material.split_first().ok_or(KeyError::Format)?;
        let kind = [KeyKind::Log, KeyKind::Witness].into_iter().find(|known| known.byte() == *kind);
        let public_key = public_key.try_into().map_err(|_| KeyError::Format)?;
        let key = Self::new(name, kind.ok_or(KeyError::Kind)?, public_key)?;
        if key.vkey() == vkey { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The key's name: a log's origin, or a witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its id in signature lines.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The verifier key's text.
    pub fn vkey(&self) -> String {
        vkey_text(&self.name, self.kind, &self.public_key())
    }

    /// Whether `signature` is this key's over `message`: strictly, so that no second encoding of a signature passes.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.vkey())
    }
}

/// The keys that somebody trusts.
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys(Vec<VerifyingKey>);

impl VerifyingKeys {
    /// A set of keys. Two different keys of one name and id would make a signature line ambiguous and are refused.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeyError> {
        let mut set = Self::default();
        for key in keys {
            match set.find(&key.name, key.id) {
                Some(known) if *known == key => {}
                Some(_) => return Err(KeyError::Ambiguous),
                None => set.0.push(key),
            }
        }
        Ok(set)
    }

    /// A set of keys from verifier keys' texts.
    pub fn parse<T: AsRef<str>>(vkeys: impl IntoIterator<Item = T>) -> Result<Self, KeyError> {
        let keys: Vec<VerifyingKey> =
            vkeys.into_iter().map(|text| VerifyingKey::parse(text.as_ref())).collect::<Result<_, _>>()?;
        Self::new(keys)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.iter()
    }

    /// The key that a signature line names.
    pub fn find(&self, name: &str, id: u32) -> Option<&VerifyingKey> {
        self.0.iter().find(|key| key.id == id && key.name == name)
    }
}

/// The verifier key's text of a log's public key.
pub fn vkey(origin: &str, public_key: &[u8; 32]) -> String {
    vkey_text(origin, KeyKind::Log, public_key)
}

/// Whether a text is a verifier key.
pub fn check_vkey(text: &str) -> Result<(), KeyError> {
    VerifyingKey::parse(text).map(drop)
}

/// The 32 bytes of an Ed25519 public key in SubjectPublicKeyInfo DER (RFC 8410), as key services answer.
pub fn public_key_of_spki(der: &[u8]) -> Result<[u8; 32], KeyError> {
    let key = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotSpki)?;
    key.try_into().map_err(|_| KeyError::NotSpki)
}

/// Whether a note can carry this name: not empty, no Unicode space, no plus, no control character.
pub fn is_key_name(name: &str) -> bool {
    signed_note::is_key_name_valid(name) && !name.chars().any(char::is_control)
}

/// A signer that holds its key: for tests, witnesses and offline tools.
pub struct LocalSigner {
    name: String,
    key: SigningKey,
}

impl LocalSigner {
    /// A signer from 32 secret bytes.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        if is_key_name(name) { Ok(Self { name: name.to_owned(), key }) } else { Err(KeyError::Name) }
    }

    /// A signer from a secret key's text, `PRIVATE+KEY+<name>+<8 hex digits>+<base64>`.
    pub fn parse(skey: &str) -> Result<Self, KeyError> {
        let rest = skey.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Format)?;
        let (name, rest) = rest.split_once('+').ok_or(KeyError::Format)?;
        let (_, encoded) = rest.split_once('+').ok_or(KeyError::Format)?;
        let material = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError::Format)?);
        let (kind, seed) = material.split_first().ok_or(KeyError::Format)?;
        if *kind != KeyKind::Log.byte() {
            return Err(KeyError::Kind);
        }
        let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::Format)?;
        let signer = Self::from_seed(name, seed)?;
        if *signer.skey() == *skey { Ok(signer) } else { Err(KeyError::Id) }
    }

    /// The secret key's text. Whoever reads it can sign.
    pub fn skey(&self) -> Zeroizing<String> {
        let mut material = Zeroizing::new([KeyKind::Log.byte(); 33]);
        material[1..].copy_from_slice(self.key.as_bytes());
        let id = key_id(&self.name, KeyKind::Log, &self.public_key_bytes());
        let encoded = Zeroizing::new(STANDARD.encode(*material));
        Zeroizing::new(format!("PRIVATE+KEY+{}+{id:08x}+{}", self.name, *encoded))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public key, to sign as.
    pub fn verifying_key(&self, kind: KeyKind) -> VerifyingKey {
        let public_key = self.public_key_bytes();
        let id = key_id(&self.name, kind, &public_key);
        VerifyingKey { name: self.name.clone(), kind, id, key: self.key.verifying_key() }
    }

    /// Its 32 public bytes.
    pub fn public_key_bytes(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a message.
    pub fn sign_now(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({})", self.name)
    }
}

/// Why a text or bytes are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the parts that a key has.
    #[error("not a key: expected <name>+<8 hex digits>+<base64>")]
    Format,
    /// The name is empty or holds a space, a plus or a control character.
    #[error("the key's name is empty or holds a space, a plus or a control character")]
    Name,
    /// Neither Ed25519 (0x01) nor a cosignature key (0x04).
    #[error("the key is of a kind that is not read here")]
    Kind,
    /// The id is not the name's and key's, or not spelled in eight lower-case digits.
    #[error("the key's id does not fit its name and bytes")]
    Id,
    /// No canonical point of the curve, or one under which signatures prove nothing.
    #[error("the key's bytes are no public key that can be trusted with signatures")]
    NotAPoint,
    /// The DER is not an Ed25519 key.
    #[error("not an Ed25519 public key in SubjectPublicKeyInfo DER")]
    NotSpki,
    /// Two keys share a name and an id.
    #[error("two different keys have the same name and id")]
    Ambiguous,
}

fn key_id(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> u32 {
    signed_note::key_id(name, &material(kind, public_key))
}

fn vkey_text(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> String {
    format!("{name}+{:08x}+{}", key_id(name, kind, public_key), STANDARD.encode(material(kind, public_key)))
}

fn material(kind: KeyKind, public_key: &[u8; 32]) -> [u8; 33] {
    let mut material = [kind.byte(); 33];
    material[1..].copy_from_slice(public_key);
    material
}

/// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }: RFC 8410 leaves nothing to choose.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
