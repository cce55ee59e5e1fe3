//! The table of words against names as systems give them, in five languages.

use proptest::prelude::*;

use super::super::SensitiveKind::{self, CardVerification as C, Password as W, Pin as P, Track as T};
use super::*;

/// Names whose values are cut whatever they look like.
const CUT: &[(SensitiveKind, &str)] = &[
    // Card codes, by all networks' names.
    (C, "cvv cvv1 cvv2 CVV cvvcode cvvnumber cvc cvc1 cvc2 cvccode csc cav2 cardcvv cardcvc cardsecuritycode"),
    (C, "cardverificationcode cardverificationnumber cardverificationvalue securitycode customerCvv CARD-CVV2 x.cvc"),
    (
        C,
        "cardCode card_code CardCode CARDCODE creditcardcode cvd cvdValue CVV2Code cvv_input CvvEntered iCVV dCVV dcvv2",
    ),
    (C, "icvv CVC-2 cvn2 CVN cardCvn ccv CCV2 cardCcv CAV2 verification_value verificationValue verificationCode"),
    (C, "card_verification_number CardSecurityCode securityCode cscCode cardCsc card_csc cardCid card_cid cardSpc"),
    (
        C,
        "Payment.csc payment[cvv] cardValidationCode card-identification-number signaturePanelCode ccCvv dbcvv cvv3Number",
    ),
    (
        C,
        "PassCvv isoCvv2Data mycvc newCvc cardAuthenticationValue cavCode CSC cscNumber cvvHash encryptedCvv cc_cvn CV2 cv2Number",
    ),
    // German.
    (
        C,
        "Prüfziffer pruefziffer PRÜFZIFFER Kartenprüfnummer kartenpruefnummer Kartenpruefziffer kartenPrüfCode Kartenprüf-Nr.",
    ),
    (
        C,
        "Sicherheitscode Kartensicherheitscode sicherheits_code Kartencode CVV-Nummer cvcNummer Kreditkarten-Prüfziffer",
    ),
    // Portuguese.
    (C, "codigoSeguranca código_de_segurança CodigoDeSeguranca codSeguranca cod_seg codigoVerificador codigoCartao"),
    (C, "codigo_do_cartao numeroDeVerificação codigodeseguranca digiteCodigoSeguranca"),
    // Spanish.
    (
        C,
        "codigoSeguridad código_de_seguridad CodigoDeSeguridadDeLaTarjeta codigo_verificacion codigoTarjeta valorVerificacion",
    ),
    (C, "código-cvv numeroDeSeguridad"),
    // French.
    (C, "cryptogramme Cryptogramme-Visuel codeSecurite code_de_sécurité codeVerification numeroCryptogramme codeCarte"),
    (C, "code_de_la_carte codeCB"),
    // PINs.
    (
        P,
        "pin PIN pin1 pin2 pinblock pin_block pincode pinnumber cardpin newPin newPin2 oldPin card_pin customerPin a.pin",
    ),
    (
        P,
        "IVR.Pin pinEntered PIN_attempt_1 PINEntered enterPIN userPin PinCode pin-code tpin TPIN mPin pvv PIN_BLOCK epin",
    ),
    (P, "pinNumber ivrpin telephonePin voicemail_pin pinInput p.i.n mapPin personalIdentificationNumber encryptedPin"),
    (P, "Geheimzahl geheim_zahl Geheimnummer kundenpin neuePin PinEingabe Telefon-PIN pinnummer wunsch-pin"),
    (P, "codigoPin código_secreto numeroSecreto claveSecreta clave_de_acceso claveTarjeta clave_cajero pinTarjeta"),
    (P, "codeSecret code_secret codeConfidentiel codePin pinCartao"),
    // Tracks.
    (
        T,
        "track1 track2 track3 track1data track2data track3data trackdata tracks magstripe magstripedata magneticstripe",
    ),
    (T, "magneticstripedata cardTrack2 card_track_1 Track2Data TRACK_2 payment.track2 trackData magStripe swipeData"),
    (T, "Magnetstreifen magnetstreifenDaten Spur2 spur_1 trilha1 trilha_2 trilhaMagnetica dadosTrilha tarja_magnetica"),
    (T, "bandaMagnetica pista1 pista_magnética datosPista piste2 pisteMagnetique bande_magnétique cardtrack2"),
    // Passwords.
    (W, "password Password passwords passwd pwd passcode passphrase oldpassword newpassword userpassword dbpassword"),
    (W, "user_password passWord pass-phrase userPasscode webPwd passwordHash passwordconfirm password2 resetPassword"),
    (W, "Passwort kundenpasswort Kennwort Telefonkennwort neues_Passwort altesKennwort Losungswort"),
    (W, "senha novaSenha senha_atual Senha palavra-passe PalavraPasse"),
    (W, "contraseña contrasena nuevaContraseña contraseña_actual"),
    (W, "motDePasse mot_de_passe nouveau-mot-de-passe mdp mdpClient phraseDePasse passwordReset"),
];

/// Names whose values are cut if they look so.
const DOUBTFUL: &str = "nip cid IVR.cid spc cve cav clave track trilha pista piste spur swipe pins cvvs cvvResult cvvMatch CVV2MATCH \
    cvv_response_code cvvPresent isCvvRequired pinAttempts pin_tries_left pinChangedAt hasPin pinVerified pin.code.id \
    passwordChangedAt passwordResetRequested passwordExpiresAt mustChangePassword passwordPolicy pinLength PinVersuche \
    pinErgebnis passwortGeändert senhaExpirada intentosPin_total claveSecretaValida cryptogrammeValide cvvpresent track2Present \
    codeSecretEssais pinBlockFormat PIN_attempts_1 senhaTentativas";

/// Names that hold no such data.
const KEPT: &[&str] = &[
    // What only sounds like it.
    "shipping spin SPIN spinner opinion opinions pinned pinnedAt isPinned pinpoint pinpointLocation topin spinCount",
    "pinging ping pinball unpinned pinnacle Pinot alpine chopin napping typingStarted",
    "tracking trackingId trackId soundtrack soundTrack2 audioTrack1 audio_track_2 tracker track_number trackName track4 track12",
    "carrier carriers cards cardType cardCountryCode cardHolder cardLast4 card_expiry giftCardBalance discardCode wildcardCode",
    "scorecardCodes dashboardcode postcardcode cardStatus bypassCode compassCode cavv",
    "securityLevel security securityCodec securityGroup verification verificationStatus verified isVerified socialSecurityNumber",
    "passengers passenger passed passedAt passport passportNumber passwordless bypass compass passThrough boardingPass",
    "callCid cidNumber conversationCid cId sourceCid cidr cidade cvs cve_list cveNumber vulnerability.cveId cscQueue cscAgent csclub",
    "code codes reasonCode wrapupCode countryCode postcode zipCode statusCode error_code queueCode dispositionCode",
    "shipping_address shippingCode shippinnumber topinfo inpin2x",
    // German.
    "Prüfung pruefung geprueft Prüfbericht Sicherheit Sicherheitsstufe Kartentyp Kundenkarte Kennzeichen Kennung Kennziffer",
    "Geheimhaltung geheim Spurwechsel spurhalter Spur Anzahl Passagier Passnummer Reisepass Spinne Kartennummer Schlüsselwort",
    // Portuguese.
    "código codigoPostal segurança nivelSeguranca verificacao trilhaAuditoria trilha_de_auditoria desenhado senhor senhora senhorio",
    "cartao numeroCartao digitoVerificador palavraChave codigoCliente",
    // Spanish.
    "seguridad codigoCliente claveProducto clave_unidad palabraClave clavel tarjeta numeroTarjeta pistaAudio autopista contrato",
    "contraseñal verificacion valor digito_verificador pistacho",
    // French.
    "code client codeClient codePostal securite motif motDeBienvenue cryptographie pisteAudit piste_d_audit pistes_cyclables",
    "secret confidentiel carte numeroCarte passe passeport essais",
    // What events say anyway.
    "conversationId participantId externalContactId ani dnis queueName customer_tier eventTime lineageToken disconnectType topicName",
    "activity_name process_name emailAddress piiCollected wrapupNotes agent_ref customerEmail transcript utterance spinalTap",
    "id x a de",
];

#[test]
fn every_listed_name_is_judged_as_it_says() {
    let mut cut = 0;
    for (kind, names) in CUT {
        for name in names.split(' ') {
            assert_eq!(read(name.as_bytes()), Some(Name { kind: *kind, certain: true }), "{name}");
            cut += 1;
        }
    }
    for name in DOUBTFUL.split(' ').filter(|name| !["track", "trilha", "pista", "piste", "spur"].contains(name)) {
        let said = read(name.as_bytes());
        assert_eq!(said.map(|name| name.certain), Some(false), "{name}");
    }
    let mut kept = 0;
    for name in KEPT.iter().flat_map(|names| names.split(' ')) {
        if !DOUBTFUL.split(' ').any(|doubtful| doubtful.eq_ignore_ascii_case(name)) {
            assert_eq!(read(name.as_bytes()), None, "{name}");
            kept += 1;
        }
    }
    assert!(cut >= 200 && kept >= 150, "{cut} names that are cut, {kept} that are kept");
}

#[test]
fn names_of_several_words_are_read_with_their_spaces() {
    for name in [
        "CVV Input",
        "codigo de seguranca",
        "Código de segurança do cartão",
        "código de seguridad de la tarjeta",
        "code de sécurité de la carte",
        " CVV_2 ",
        "Card CVV",
        "Your 4 digit PIN",
        "numéro de cryptogramme",
        "mot de passe",
        "Track 2",
        "C V V",
    ] {
        assert_eq!(read(name.as_bytes()).map(|name| name.certain), Some(true), "{name}");
    }
    for name in
        ["Wrap up code", "shipping pinned", "trilha de auditoria", "piste d'audit", "track of the call", "my opinion"]
    {
        assert_eq!(read(name.as_bytes()), None, "{name}");
    }
    assert_eq!(read(b"c\xF3digo de seguran\xE7a").map(|name| name.kind), Some(C), "Latin-1");
}

#[test]
fn the_words_are_written_as_names_are_read() {
    let lists = [BEFORE, AFTER, ABOUT, ASKING, CARD, SOUND];
    let words = WORDS.iter().map(|word| word.text);
    for word in words.clone().chain(lists.into_iter().flatten().copied()) {
        assert_eq!(Tokens::of(word.as_bytes()).text, word.as_bytes(), "{word}");
        assert!(word.len() <= 32 && (word.len() >= WORD_BYTES_MIN || !words.clone().any(|one| one == word)), "{word}");
    }
    for (at, word) in WORDS.iter().enumerate() {
        let again = WORDS[..at].iter().any(|other| other.text == word.text && other.way == word.way);
        assert!(!again, "{} stands twice", word.text);
    }
    // What is glued to a short word makes no word that means something else.
    for word in ["pinned", "pinning", "spin", "shipping", "opinion", "pinpoint", "pinball", "pines", "pinto"] {
        assert_eq!(read(word.as_bytes()), None, "{word}");
    }
}

#[test]
fn every_event_in_events_has_only_the_sensitive_names_that_are_known() {
    fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (key, value) in members {
                    found.push(key.clone());
                    keys(value, found);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for file in std::fs::read_dir("../../events").unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        if let Ok(value) = serde_json::from_slice(&bytes) {
            keys(&value, &mut found);
        }
    }
    assert!(found.len() > 500, "{} keys", found.len());
    found.retain(|key| read(key.as_bytes()).is_some());
    found.sort();
    found.dedup();
    assert_eq!(found, ["password"]);
}

proptest! {
    #[test]
    fn any_name_is_read(name in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&name);
    }

    #[test]
    fn case_and_signs_between_words_change_nothing(
        words in proptest::sample::select(vec![
            vec!["card", "code"], vec!["cvv", "2", "input"], vec!["pin", "entered"], vec!["customer", "pin"],
            vec!["security", "code"], vec!["sicherheits", "code"], vec!["codigo", "de", "seguridad"], vec!["track", "2"],
            vec!["mot", "de", "passe"], vec!["user", "password"], vec!["shipping", "code"], vec!["pinned", "by"],
            vec!["tracking", "id"], vec!["reason", "code"],
        ]),
        sign in "[ _.:/-]{1,3}",
    ) {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let joined = words.join(&sign);
        let expected = read(words.join("_").as_bytes());
        let camel: String = words[..1].iter().map(|word| (*word).to_owned()).chain(words[1..].iter().map(|word| capital(word))).collect();
        for name in [&joined, &joined.to_uppercase(), &camel, &capital(&camel), &words.join("-")] {
            prop_assert_eq!(read(name.as_bytes()), expected, "{}", name);
        }
    }
}
