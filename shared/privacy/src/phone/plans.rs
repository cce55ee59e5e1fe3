//! The world's numbering plans, by the library `rlibphonenumber`.
//!
//! The plans are a file of ours, `plans.bin`: that of the library's version 2.2.15, Google's libphonenumber (Apache-2.0). An
//! update of the library so changes no pseudonym. A change of the file is a change of the rules: it needs a new
//! [`RULES`](crate::identifier::RULES).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use prost::Message as _;
use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PhoneMetadata, PhoneMetadataCollection, PhoneNumber, PhoneNumberFormat,
    PhoneNumberUtil,
};

use crate::region::Region;

/// The plans, read once.
pub(crate) struct Plans {
    library: PhoneNumberUtil,
    /// What is dialled in a region before an area code, such as `0` or `1`; empty where nothing is.
    trunks: BTreeMap<rlibphonenumber::Region, String>,
}

/// A number that a plan has room for.
pub(super) struct Found {
    /// `+`, country and national number.
    pub(super) e164: String,
    /// Whether the plan also knows what sort of number it is. Those for films and documentation never are.
    pub(super) valid: bool,
    /// It was dialled with the region's prefix for other countries.
    dialled_abroad: bool,
}

impl Plans {
    /// The plans; `None` if the file is not what it was when this was built, which a test rules out.
    pub(crate) fn get() -> Option<&'static Self> {
        static PLANS: LazyLock<Option<Plans>> = LazyLock::new(|| {
            let plans = PhoneMetadataCollection::decode(&include_bytes!("plans.bin")[..]).ok()?;
            let trunks = plans.metadata.iter().filter_map(trunk).collect();
            let library = PhoneNumberUtil::new_for_metadata(plans).ok()?;
            Some(Plans { library, trunks })
        });
        PLANS.as_ref()
    }

    /// The calling code of a region that has a plan.
    pub(crate) fn calling_code(&self, region: rlibphonenumber::Region) -> Option<i32> {
        self.library.get_country_code_for_region(region)
    }

    /// What the digits name that follow a `+`.
    pub(super) fn international(&self, digits: &str) -> Option<Found> {
        self.found(&format!("+{digits}"), None)
    }

    /// What the digits name when they are dialled in a region. Without what is dialled before an area code they may be a local
    /// number, which is another subscriber's in every city: only those that are too long for one count, and only if the plan
    /// knows them. North America dials ten digits with or without its 1.
    pub(super) fn national(&self, digits: &str, region: Region) -> Option<Found> {
        let found = self.found(digits, Some(region.inner()))?;
        let trunk = self.trunks.get(&region.inner())?;
        let whole = trunk == "1" || digits.starts_with(trunk) || (found.valid && digits.len() > MAX_LOCAL_DIGITS);
        whole.then_some(found)
    }

    /// What digits name that begin with 00. The region's own prefix for other countries comes first: Korea's 001 before Norway's 47
    /// is not America's 1. If no such number is known, it is written as most of the world dials.
    pub(super) fn dialled_abroad(&self, digits: &str, region: Region) -> Option<Found> {
        let own = self.found(digits, Some(region.inner())).filter(|found| found.dialled_abroad && found.valid);
        let rest = digits.strip_prefix("00").filter(|rest| rest.len() >= MIN_BEHIND_00);
        own.or_else(|| self.international(rest?))
    }

    /// The library is not ours and the digits are anybody's: should it panic, they name nobody, and the batch goes on.
    fn found(&self, number: &str, region: Option<rlibphonenumber::Region>) -> Option<Found> {
        catch_unwind(AssertUnwindSafe(|| {
            let mut parsed = self.library.parse_and_keep_raw_input(number, region).ok()?;
            let dialled_abroad = parsed.country_code_source() == CountryCodeSource::FromNumberWithIdd;
            without_mexicos_mobile_digit(&mut parsed);
            // "Possible" also says of seven digits that they are dialled within a city.
            let possible = self.library.is_possible_number_with_reason(&parsed).ok()?;
            let e164 = self.library.format(&parsed, PhoneNumberFormat::E164).into_owned();
            let valid = self.library.is_valid_number(&parsed);
            (possible == NumberLengthType::IsPossible).then_some(Found { e164, valid, dialled_abroad })
        }))
        .unwrap_or_default()
    }
}

/// A region and its trunk prefix; of calling codes without a region there is none.
fn trunk(plan: &PhoneMetadata) -> Option<(rlibphonenumber::Region, String)> {
    let region = rlibphonenumber::Region::from_code(&plan.id).ok()?;
    Some((region, plan.national_prefix.iter().flat_map(|prefix| prefix.chars()).filter(char::is_ascii_digit).collect()))
}

/// Until 2019 a mobile number in Mexico had a 1 before it when it was dialled from abroad. Unlike Argentina's 9 it tells no
/// two subscribers apart.
fn without_mexicos_mobile_digit(number: &mut PhoneNumber) {
    let with_digit = 10_000_000_000..20_000_000_000;
    if number.country_code == 52 && with_digit.contains(&number.national_number) {
        number.national_number -= with_digit.start;
    }
}

/// Local numbers have at most so many digits: eight, in the largest cities.
const MAX_LOCAL_DIGITS: usize = 8;

/// A number with its country is at least so long.
const MIN_BEHIND_00: usize = 8;
