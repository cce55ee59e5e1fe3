//! E-mail addresses.
//!
//! Left out on purpose: plus tags and dots in the local part. Some providers ignore them and others do not, and two people
//! who share a mailbox by one provider's rule would be merged by it at another.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::phone;

/// The address without display name, scheme and query, in lower case and composed form, its domain as DNS spells it; `None` if
/// it is not an address, or one that names nobody.
pub(super) fn normalise(raw: &str) -> Option<String> {
    if raw.len() > MAX_RAW_BYTES {
        return None;
    }
    let visible = phone::visible(raw);
    let address = phone::inside_brackets(visible.trim())?;
    let address = phone::strip_prefix_ignoring_case(address, "mailto:").unwrap_or(address);
    let address = address.split('?').next().unwrap_or_default().trim();
    if address.len() > MAX_BYTES {
        return None;
    }
    let (local, domain) = address.split_once(['@', '\u{FF20}'])?;
    let plain =
        |part: &str| part.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"@\u{FF20}<>,;:\"".contains(c));
    if local.is_empty() || !plain(local) || !plain(domain) {
        return None;
    }
    // Character by character: not by context, as a final sigma would be.
    let local: String = local.chars().flat_map(char::to_lowercase).collect();
    let local = ComposingNormalizerBorrowed::new_nfc().normalize(&local).into_owned();
    let domain = domain_name(domain)?;
    let nobody = phone::is_nobodys_host(&domain) || domain == "localhost" || is_machine(&local);
    (!nobody && local.len() + domain.len() < MAX_BYTES).then(|| format!("{local}@{domain}"))
}

/// The domain in lower case, in the form that DNS has of it. ASCII domains are taken as they are: what DNS refuses of them,
/// such as an underscore, is in use all the same.
fn domain_name(domain: &str) -> Option<String> {
    let domain = domain.replace(DOTS, ".").to_ascii_lowercase();
    let punycode = domain.split('.').any(|label| label.starts_with("xn--"));
    let domain = match domain.is_ascii() && !punycode {
        true => Cow::from(domain.as_str()),
        false => idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?,
    };
    let domain = domain.trim_end_matches('.');
    (!domain.split('.').any(str::is_empty)).then(|| domain.to_owned())
}

/// Whether the mailbox is a machine's, which writes to everybody.
fn is_machine(local: &str) -> bool {
    let word: String = local.split('+').next().unwrap_or_default().chars().filter(|c| !"-_.".contains(*c)).collect();
    MACHINES.contains(&word.as_str())
}

const MACHINES: &[&str] = &["noreply", "donotreply", "mailerdaemon", "postmaster"];

/// Full stops of East Asian keyboards, which IDNA maps to a dot.
const DOTS: [char; 3] = ['\u{3002}', '\u{FF0E}', '\u{FF61}'];

/// Longer than any address with its name: no rule looks at more.
const MAX_RAW_BYTES: usize = 1_024;

/// RFC 5321: a path is at most 256 octets with its angle brackets.
const MAX_BYTES: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_an_address_gives_one_text() {
        for (raw, address) in [
            (" Jane.Doe@Example.COM ", "jane.doe@example.com"),
            ("mailto:jane.doe@example.com?subject=x", "jane.doe@example.com"),
            ("MAILTO:Jane.Doe@example.com", "jane.doe@example.com"),
            ("Jane Doe <jane.doe@example.com>", "jane.doe@example.com"),
            ("jane.doe@example.com.", "jane.doe@example.com"),
            ("jane.doe\u{FF20}example\u{3002}com", "jane.doe@example.com"),
            ("ΑΣ@example.com", "ασ@example.com"),
            ("Jose\u{301}@example.com", "jos\u{e9}@example.com"),
            ("jos\u{e9}@example.com", "jos\u{e9}@example.com"),
            ("jane@B\u{fc}cher.example", "jane@xn--bcher-kva.example"),
            ("jane@bu\u{308}cher.example", "jane@xn--bcher-kva.example"),
            ("jane@XN--BCHER-KVA.example", "jane@xn--bcher-kva.example"),
            ("jane@my_host.example", "jane@my_host.example"),
            ("\u{feff}ja\u{200b}ne@example.com", "jane@example.com"),
            ("'jane@example.com'", "jane@example.com"),
            ("\"Victim <victim@example.com>\" <jane@example.com>", "jane@example.com"),
        ] {
            assert_eq!(normalise(raw).as_deref(), Some(address), "{raw}");
        }
    }

    #[test]
    fn a_tag_or_a_dot_may_be_another_persons() {
        let all =
            ["jane.doe@example.com", "janedoe@example.com", "jane.doe+a@example.com", "jane.doe@mail.example.com"];
        let mut normal: Vec<_> = all.iter().filter_map(|raw| normalise(raw)).collect();
        normal.dedup();
        assert_eq!(normal, all);
    }

    #[test]
    fn what_names_nobody_is_not_an_address() {
        let long = format!("{}@b", "a".repeat(300));
        for raw in [
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "jane",
            "a@b c",
            "a,b@c",
            "a@.",
            &long,
            "anonymous@anonymous.invalid",
            "jane@x.INVALID",
            "jane@invalid",
            "root@localhost",
            "noreply@example.com",
            "No-Reply@example.com",
            "do_not_reply@example.com",
            "no-reply+7@example.com",
            "mailer-daemon@example.com",
            "POSTMASTER@example.com",
            "jane@xn--\u{fc}.example",
        ] {
            assert_eq!(normalise(raw), None, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(
            raw in "(mailto:|<| |)[A-Za-z\u{130}\u{3a3}\u{df}\u{301}\u{308}.+<>]{1,9}[@\u{ff20}](xn--|)[A-Za-z\u{130}\u{fc}\u{301}\u{ad}.\u{3002}]{1,9}(\\?x|>|\\.| |)",
        ) {
            if let Some(once) = normalise(&raw) {
                prop_assert_eq!(normalise(&once), Some(once));
            }
        }
    }
}
