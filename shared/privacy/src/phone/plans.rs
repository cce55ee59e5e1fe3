//! The world's numbering plans, by the library `rlibphonenumber`.
//!
//! The plans are a file of ours, `plans.bin`: that of the library's version 2.2.15, Google's libphonenumber (Apache-2.0). An
//! update of the library so changes no pseudonym. A change of the file is a change of the rules: it needs a new
//! [`RULES`](crate::identifier::RULES).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use prost::Message as _;
use rlibphonenumber::{NumberLengthType, PhoneMetadataCollection, PhoneNumber, PhoneNumberFormat, PhoneNumberUtil};

use crate::region::Region;

/// The plans, read once.
pub(crate) struct Plans(PhoneNumberUtil);

/// A number that a plan has room for.
pub(super) struct Found {
    /// `+`, country and national number.
    pub(super) e164: String,
    /// Whether the plan also knows what sort of number it is. Those for films and documentation never are.
    pub(super) valid: bool,
}

impl Plans {
    /// The plans; `None` if the file is not what it was when this was built, which a test rules out.
    pub(crate) fn get() -> Option<&'static Self> {
        static PLANS: LazyLock<Option<Plans>> = LazyLock::new(|| {
            let plans = PhoneMetadataCollection::decode(&include_bytes!("plans.bin")[..]).ok()?;
            PhoneNumberUtil::new_for_metadata(plans).ok().map(Plans)
        });
        PLANS.as_ref()
    }

    /// The calling code of a region that has a plan.
    pub(crate) fn calling_code(&self, region: rlibphonenumber::Region) -> Option<i32> {
        self.0.get_country_code_for_region(region)
    }

    /// What the digits name that follow a `+`.
    pub(super) fn international(&self, digits: &str) -> Option<Found> {
        self.found(&format!("+{digits}"), None)
    }

    /// What the digits name when they are dialled in a region.
    pub(super) fn national(&self, digits: &str, region: Region) -> Option<Found> {
        self.found(digits, Some(region.inner()))
    }

    /// The library is not ours and the digits are anybody's: should it panic, they name nobody, and the batch goes on.
    fn found(&self, number: &str, region: Option<rlibphonenumber::Region>) -> Option<Found> {
        catch_unwind(AssertUnwindSafe(|| {
            let mut parsed = self.0.parse(number, region).ok()?;
            without_mexicos_mobile_digit(&mut parsed);
            // "Possible" also says of seven digits that they are dialled within a city.
            let possible = self.0.is_possible_number_with_reason(&parsed).ok()?;
            let e164 = self.0.format(&parsed, PhoneNumberFormat::E164).into_owned();
            let valid = self.0.is_valid_number(&parsed);
            (possible == NumberLengthType::IsPossible).then_some(Found { e164, valid })
        }))
        .unwrap_or_default()
    }
}

/// Until 2019 a mobile number in Mexico had a 1 before it when it was dialled from abroad. Unlike Argentina's 9 it tells no
/// two subscribers apart.
fn without_mexicos_mobile_digit(number: &mut PhoneNumber) {
    let with_digit = 10_000_000_000..20_000_000_000;
    if number.country_code == 52 && with_digit.contains(&number.national_number) {
        number.national_number -= with_digit.start;
    }
}
