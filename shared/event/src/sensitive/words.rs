//! The words by which names are judged: reviewed data, in English, German, Portuguese, Spanish and French.
//!
//! All are written as [`super::tokens::Tokens`] reads a name: ASCII lower case, no accents, without the words that only
//! join others; German umlauts both ways, as `u` and as `ue`. What is glued together in a name is one word here, too.

use super::SensitiveKind;
use SensitiveKind::{CardVerification, Password, Pin, Track};

/// How a word has to stand in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As one word, or as the whole name; or glued to one of [`BEFORE`] or [`AFTER`]. So `shipping` holds no PIN.
    Short,
    /// From the beginning of a word on, or glued likewise: `securityCode`, `trackdata`.
    Phrase,
    /// Anywhere, as no other word ends so: `dbpassword`.
    Long,
    /// Before a number from 1 to 3: the tracks of a stripe.
    Numbered,
    /// As one word, by what stands around it.
    Doubtful(Alone),
}

/// What a doubtful word means where it is the whole name, or the last part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// What it says.
    Certain,
    /// What it says if the value looks so: `cid` is a card's code, a caller's id and a conversation's.
    ByValue,
}

/// A word that makes a name sensitive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) text: &'static str,
    pub(super) kind: SensitiveKind,
    pub(super) way: Way,
}

macro_rules! words {
    ($($kind:ident $way:expr => $($text:literal)+;)+) => {
        &[$($(Word { text: $text, kind: $kind, way: $way }),+),+]
    };
}

/// The words. A password or PIN is what somebody proves himself by to a telephone system or a person; keys of machines are
/// not meant.
pub(super) const WORDS: &[Word] = words! {
    // The networks' own names: CVV (also iCVV, dCVV), CVC, CAV2, CVN, CVD, CCV, of each with any number behind it.
    CardVerification Way::Long => "cvv";
    CardVerification Way::Short => "cvc" "cvn" "cvd" "ccv";
    CardVerification Way::Phrase => "cav2" "cv2" "cardcode" "cardcvv" "cardcvc" "cardcsc" "signaturepanelcode" "securitydigits"
        "cardverification" "cardvalidation" "cardidentificationcode" "cardidentificationnumber"
        "cardauthenticationcode" "cardauthenticationvalue" "cardsecuritynumber" "cardsecurityvalue";
    CardVerification Way::Long => "securitycode" "verificationcode" "verificationvalue" "verificationnumber"
        "cardvalidationcode" "cardvalidationvalue" "cardvalidationnumber" "creditcardcode" "debitcardcode" "bankcardcode";
    // German.
    CardVerification Way::Long => "prufziffer" "pruefziffer" "prufnummer" "pruefnummer" "prufzahl" "pruefzahl" "prufcode"
        "pruefcode" "prufnr" "pruefnr" "sicherheitscode" "sicherheitsnummer" "sicherheitsziffer" "kartencode"
        "kartenkontrollnummer" "kartenkontrollziffer";
    // Portuguese.
    CardVerification Way::Long => "codigoseguranca" "codigodeseguranca" "codseguranca" "coddeseguranca" "cdseguranca"
        "codigoverificacao" "codigodeverificacao" "codigoverificador" "codigocartao" "codigodocartao" "codigodecartao"
        "numeroseguranca" "numeroverificacao" "numerodeverificacao" "valorverificacao" "valordeverificacao";
    // Spanish.
    CardVerification Way::Long => "codigoseguridad" "codigodeseguridad" "codseguridad" "coddeseguridad" "codigoverificacion"
        "codigodeverificacion" "codigotarjeta" "codigodetarjeta" "codigodelatarjeta" "numeroseguridad"
        "numeroverificacion" "numerodeverificacion" "valorverificacion" "valordeverificacion" "digitosseguridad";
    CardVerification Way::Phrase => "codseg";
    // French.
    CardVerification Way::Long => "cryptogramme" "codesecurite" "codedesecurite" "codeverification" "codedeverification"
        "numeroverification" "numerodeverification" "valeurverification" "valeurdeverification" "codecarte";
    CardVerification Way::Phrase => "codecb";
    // Customer service centre, caller's and conversation's id, vulnerabilities: doubtful alone.
    CardVerification Way::Doubtful(Alone::Certain) => "csc";
    CardVerification Way::Doubtful(Alone::ByValue) => "cid" "spc" "cve" "cav";

    Pin Way::Short => "pin" "tpin" "mpin" "epin" "ipin" "pvv";
    Pin Way::Long => "personalidentificationnumber" "numeroidentificacionpersonal" "numeroidentificacaopessoal"
        "numeroidentificationpersonnel";
    Pin Way::Long => "geheimzahl" "geheimnummer" "geheimcode" "geheimziffer" "codigosecreto" "numerosecreto"
        "clavesecreta" "codesecret" "codeconfidentiel" "numerosecret";
    Pin Way::Phrase => "claveacceso" "clavecajero" "clavepersonal" "clavebancaria" "clavetelefonica" "clavedinamica"
        "clavetarjeta" "clavedeacceso" "clavenumerica";
    // Also a key, and a number for taxes.
    Pin Way::Doubtful(Alone::ByValue) => "clave" "nip";

    // Parcels and users are tracked, and `trilha de auditoria`, `piste d'audit` and `pista` are audit trails and clues.
    Track Way::Numbered => "track" "trk" "trilha" "pista" "piste" "spur";
    Track Way::Phrase => "trackdata" "trackone" "tracktwo" "trackthree" "swipedata" "cardswipe" "msrdata" "dadostrilha" "datospista" "donneespiste"
        "spurdaten" "trilhacartao" "pistatarjeta" "pistecarte";
    Track Way::Long => "magstripe" "magstrip" "magneticstripe" "magneticstrip" "magneticdata" "magnetstreifen"
        "magnetspur" "bandamagnetica" "pistamagnetica" "faixamagnetica" "tarjamagnetica" "trilhamagnetica"
        "bandemagnetique" "pistemagnetique";
    Track Way::Doubtful(Alone::Certain) => "tracks";
    Track Way::Doubtful(Alone::ByValue) => "track" "trilha" "trilhas" "pista" "pistas" "piste" "pistes" "spur" "swipe";

    Password Way::Long => "password" "passwords" "passphrase" "passwort" "passworte" "passworter" "passwoerter" "kennwort"
        "kennworter" "kennwoerter" "losungswort" "contrasena" "contrasenha" "contrasenia" "palavrapasse"
        "palavradepasse" "motdepasse" "motsdepasse" "motpasse" "phrasedepasse" "phrasepasse";
    Password Way::Short => "passwd" "pwd" "passcode" "senha" "senhas" "mdp";
    Password Way::Phrase => "userpass" "dbpass" "loginpass";
};

/// What may be glued to the front of a short word: `cardpin`, `newcvc`.
#[rustfmt::skip]
pub(super) const BEFORE: &[&str] = &[
    "access", "account", "admin", "alte", "altes", "app", "atm", "bank", "caller", "card", "carte", "cartao", "cb", "cc",
    "client", "cliente", "code", "codigo", "confirm", "credit", "creditcard", "current", "customer", "db", "debit",
    "debitcard", "dtmf", "enc", "encrypted", "enter", "entered", "giftcard", "ivr", "karten", "kreditkarten",
    "kunden", "last", "login", "meine", "minha", "mobile", "my", "neue", "neues", "new", "nova", "nueva", "nuevo",
    "num", "numero", "old", "online", "phone", "plain", "raw", "sim", "sua", "tarjeta", "telefon", "user", "usuario",
    "vm", "voicemail", "web", "your",
];

/// What may be glued to the end of a word: `pincode`, `cvvnummer`.
#[rustfmt::skip]
pub(super) const AFTER: &[&str] = &[
    "again", "alt", "attempt", "block", "card", "carte", "cartao", "cliente", "code", "codes", "cod", "confirm",
    "confirmation", "customer", "data", "daten", "digits", "eingabe", "enc", "encrypted", "entered", "entry", "field",
    "hash", "input", "karte", "kunde", "neu", "new", "no", "nova", "novo", "nr", "nuevo", "num", "number", "numbers",
    "numero", "nummer", "old", "plain", "raw", "repeat", "string", "tarjeta", "temp", "text", "user", "val", "valeur",
    "valor", "value", "values", "versuch", "wert",
];

/// Behind a sensitive word these make a name say something about the value, or how many there are: `cvvResponse`,
/// `pinAttempts`, `passwordExpiresAt`. What such a name holds is cut only if it looks like a code.
#[rustfmt::skip]
pub(super) const ABOUT: &[&str] = &[
    "abgelaufen", "absent", "age", "allowed", "anzahl", "at", "attempts", "blocked", "bloque", "bloquee", "bloqueada",
    "bloqueado", "cantidad", "changed", "check", "checked", "count", "counter", "created", "date", "days", "disabled",
    "enabled", "erforderlich", "ergebnis", "error", "errors", "essais", "estado", "etat", "expiracion", "expirada",
    "expirado", "expiration", "expire", "expired", "expires", "expiry", "failed", "failure", "failures", "falsch",
    "fehler", "flag", "format", "geaendert", "geandert", "geprueft", "gepruft", "gesperrt", "gultig", "gueltig",
    "hint", "id", "indicator", "intentos", "invalid", "invalida", "invalide", "invalido", "laenge", "lange", "left",
    "len", "length", "link", "locked", "longitud", "longueur", "mandatory", "match", "matched", "matches", "max",
    "min", "mismatch", "missing", "nombre", "obligatoire", "obligatorio", "obrigatorio", "ok", "optional", "outcome",
    "passed", "policy", "present", "presente", "provided", "quantidade", "reason", "remaining", "requested",
    "required", "requerido", "requirement", "requirements", "requis", "restantes", "restants", "result", "resultado",
    "resultat", "results", "retries", "retry", "size", "state", "status", "statut", "strength", "succeeded",
    "success", "successful", "supplied", "tentativas", "tentatives", "time", "timestamp", "total", "tries", "type",
    "ungueltig", "ungultig", "until", "updated", "url", "valid", "valida", "validado", "validated", "valide",
    "valido", "validity", "vencimiento", "verificado", "verified", "verifie", "verifiee", "version", "versuche",
    "vorhanden",
    // Not of a password: what somebody answered may be one.
    "antwort", "reponse", "respuesta", "resposta", "response", "responses",
];

/// The last of [`ABOUT`], from which on they say nothing of a password.
pub(super) const ANSWERS: usize = 6;

/// In front of a sensitive word these ask a question: `isPinRequired`, `hasCvv`.
#[rustfmt::skip]
pub(super) const ASKING: &[&str] = &[
    "can", "est", "had", "has", "hat", "is", "ist", "must", "need", "needs", "require", "requiere", "requires",
    "should", "tem", "tiene",
];

/// Words that say that a name is about a card, so that a doubtful one in it is not.
#[rustfmt::skip]
pub(super) const CARD: &[&str] = &[
    "amex", "bankcard", "card", "cards", "carta", "cartao", "carte", "cc", "creditcard", "debitcard", "karte", "karten",
    "kreditkarte", "kreditkarten", "payment", "tarjeta", "tarjetas",
];

/// Tracks of these are sound.
pub(super) const SOUND: &[&str] = &["audio", "media", "music", "recording", "sound", "video", "voice"];
