//! Numbers that may be a person's: of a telephone, an account, a card, an identity card.
//!
//! Invariant: what cannot be told from such a number counts as one. An id cannot be taken out of the ledger; what is quarantined by
//! mistake is kept, and can be read again.

/// Whether a text is a number as long as those of telephones, accounts and cards, in groups or not, and nothing else.
pub(super) fn is_long(text: &str) -> bool {
    // A JSON integer has up to 20 digits.
    is_in_groups(text) && (7..=20).contains(&digits(text).count())
}

/// Whether an id is such a number, and not in groups that only a machine writes: a date and a counter, or a moment and a counter.
pub(super) fn is_a_persons(id: &str) -> bool {
    if is_number(id.strip_prefix('-').unwrap_or(id)) {
        return is_long(id);
    }
    if !is_in_groups(id) || is_moment_and_counter(id) {
        return false;
    }
    match after_date(id) {
        // No telephone number begins with three zeros: this is a counter.
        Some(rest) => !rest.starts_with("000") && is_a_persons(rest) || is_personal_identity_number(id, rest),
        None => is_long(id),
    }
}

/// What stands behind the date that an id begins with: `2026-03-02`, or `20260302` if more follows.
fn after_date(id: &str) -> Option<&str> {
    let (year, rest) = id.split_once(SEPARATORS)?;
    if year.len() == 8 {
        return is_date(&year[..4], &year[4..6], &year[6..]).then_some(rest);
    }
    let (month, rest) = rest.split_once(SEPARATORS)?;
    let (day, rest) = rest.split_once(SEPARATORS).unwrap_or((rest, ""));
    is_date(year, month, day).then_some(rest)
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let is_within = |text: &str, last: u8| text.len() == 2 && text.parse().is_ok_and(|n: u8| (1..=last).contains(&n));
    year.len() == 4 && (year.starts_with("19") || year.starts_with("20")) && is_within(month, 12) && is_within(day, 31)
}

/// Whether an id is what telephone exchanges name a call by: seconds since 1970, from 2001 to 2033, a dot, and a counter. No American
/// number begins with 1; a fraction of zeros is a number's that a table wrote as a decimal one.
fn is_moment_and_counter(id: &str) -> bool {
    let Some((moment, counter)) = id.split_once('.') else { return false };
    let is_moment = moment.len() == 10 && moment.starts_with('1') && is_number(moment);
    is_moment && is_number(counter) && counter.bytes().any(|digit| digit != b'0')
}

/// Whether a date and what stands behind it have the form of a Swedish personal identity number, `yyyymmdd-nnnn`, and its check digit, over
/// what follows the century.
fn is_personal_identity_number(id: &str, behind_date: &str) -> bool {
    behind_date.len() == 4 && is_number(behind_date) && has_check_digit(&id[2..])
}

/// Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B).
fn has_check_digit(id: &str) -> bool {
    let of_digit = |(at, digit): (usize, u32)| match at % 2 {
        0 => digit,
        _ => digit / 5 + digit * 2 % 10,
    };
    digits(id).rev().enumerate().map(of_digit).sum::<u32>() % 10 == 0
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|c| c.to_digit(10))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn is_in_groups(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || SEPARATORS.contains(&c))
}

/// What stands between groups in a text that may be an id: it has no space, no bracket and no plus. Some write `_` for these.
const SEPARATORS: [char; 4] = ['.', '_', '-', ':'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_people_are_told_in_every_grouping() {
        for (what, ids) in [
            (
                "E.164 without its plus",
                &["1-317-555-0142", "44-20-7946-0958", "49-30-23125-014", "62-812-5550-0142"][..],
            ),
            ("with an international prefix", &["011-44-20-7946-0958", "0049-555-0142-7"]),
            ("United States", &["317-555-0142", "317.555.0142", "317_555_0142", "1.317.555.0142", "555-0142"]),
            ("Germany", &["030-23125014", "030.901.820", "0171-3920014", "0171_39_200_14", "06131-14-0"]),
            ("United Kingdom", &["020-7946-0958", "01632-960123", "07700.900.123"]),
            ("France", &["01-99-00-12-34", "01.99.00.12.34", "33-1-99-00-12-34"]),
            ("Indonesia", &["0812-5550-0142", "021-555-0142", "62.21.555.0142"]),
            ("Egypt, whose code looks like a century", &["20-2-2555-0142", "2010-5550-0142", "2012-12-5550142"]),
            ("bare", &["15555550142", "5550142", "-5550142", "00001003461385132413"]),
            ("written as a decimal number", &["15555550142.0", "3175550142.0", "1632960123.0", "1632960123.00"]),
            (
                "cards and accounts",
                &["4111-1111-1111-1111", "4111.1111.1111.1111", "3782-822463-10005", "2100-0418-45-0200051332"],
            ),
            ("identity numbers", &["123-45-6789", "800517-1239", "19800517-1239", "1980-05-17_1239", "20010203.1234"]),
            ("behind a date", &["20260302-15555550142", "2026-03-02-317-555-0142", "2026-03-02_5550142"]),
            ("no date", &["2026-13-02", "2026-03-32", "2126-03-02", "20261302-0001", "20260300-0001", "2026-0302"]),
            ("no moment", &["2014612345.67890", "161461234.67890", "1614612345-67890", "1614612345.6.7"]),
            // Nothing tells them from telephone numbers: `NumericIdSources` lists a source that has them.
            ("contact centres", &["151234-2001", "1-33000019263-0", "2-1234567", "12:3456789"]),
        ] {
            for id in ids {
                assert!(is_a_persons(id), "{what}: {id}");
            }
        }
    }

    #[test]
    fn ids_that_only_machines_write_are_accepted() {
        for (what, ids) in [
            (
                "Asterisk's unique ids",
                &["1614612345.67890", "1772460000.1", "1614612345.678901", "pbx1-1614612345.67"][..],
            ),
            ("FreeSWITCH, Genesys", &["c5a2f3f8-9a6b-4a52-9b4c-0d4d1c0c2c11", "11111111-1111-4111-8111-111111111111"]),
            ("Cisco's GUIDs", &["2788472065-1894781419-2432696320-1772460000", "b6d58e80-1b213b8e-1a2-a0000a"]),
            ("Cisco's global call ids, while they are short", &["1-98765", "2-98765"]),
            ("Avaya's call ids in groups", &["00001-00346-13851324130", "00001.00346.13851324130"]),
            ("Twilio's sids", &["CA0123456789abcdef0123456789abcdef", "WT00000000000000000000000000000142"]),
            (
                "dates",
                &["2026-03-02", "2026.03.02", "2026_03_02", "2026-03-02-14", "2026-03-02-000123", "1999-12-31-1"],
            ),
            ("dates and counters", &["20260302-000123", "20260302.17", "20260302-14-0007", "20260302-0000123"]),
            ("orders", &["4711-12", "ORD-2026-000123", "2026-17", "20260302-0001", "SO_0000123"]),
            ("digits that are no number", &["317-555-0142a", "123456", "12-34.56", "123456789-123456789-123", "x", ""]),
        ] {
            for id in ids {
                assert!(!is_a_persons(id), "{what}: {id}");
            }
        }
    }

    proptest! {
        /// A telephone number's first digits are an area's or a country's: none of these groupings is a date's.
        #[test]
        fn a_telephone_number_is_told_in_whatever_groups_it_comes(
            number in "(0[1-9]|[3-9][0-9])[0-9]{5,13}",
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), "[._:-]"), 0..5),
        ) {
            let mut id = number;
            for (at, separator) in cuts {
                let at = at.index(id.len());
                id.insert_str(at, &separator);
            }
            prop_assert!(is_a_persons(&id), "{}", id);
        }

        #[test]
        fn no_date_and_no_moment_with_a_counter_is_a_telephone_number(
            (year, month, day) in (1900..2100_u32, 1..=12_u32, 1..=31_u32),
            moment in 1_000_000_000..2_000_000_000_u32,
            // Four digits behind a date may be a personal identity number's.
            counter in prop_oneof![1..=999_u32, 10_000..=999_999_u32],
            separator in "[._-]",
        ) {
            for id in [
                format!("{year}-{month:02}-{day:02}"),
                format!("{year}-{month:02}-{day:02}{separator}{counter}"),
                format!("{year}{month:02}{day:02}{separator}{counter:06}"),
                format!("{moment}.{counter}"),
            ] {
                prop_assert!(!is_a_persons(&id), "{}", id);
            }
        }

        #[test]
        fn no_text_of_an_ids_letters_makes_it_panic(id in "[0-9._:a-f-]{0,40}") {
            let told = is_a_persons(&id);
            prop_assert!(!told || is_long(&id));
        }
    }
}
