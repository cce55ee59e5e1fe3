//! Where numbers without their country belong to.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::phone::plans::Plans;

/// A country or territory with a numbering plan, by its ISO 3166-1 code of two letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    /// The United States, the default.
    pub const US: Self = Self(rlibphonenumber::Region::US);

    pub(crate) fn inner(self) -> rlibphonenumber::Region {
        self.0
    }

    /// The digits of its calling code, such as `1` or `49`.
    pub(crate) fn calling_code(self) -> String {
        Plans::get().and_then(|plans| plans.calling_code(self.0)).map(|code| code.to_string()).unwrap_or_default()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a country with a numbering plan: two letters of ISO 3166-1, such as US, DE or CI")]
pub struct BadRegion;

impl FromStr for Region {
    type Err = BadRegion;

    fn from_str(text: &str) -> Result<Self, BadRegion> {
        let code = (text.len() == 2).then(|| text.to_ascii_uppercase()).ok_or(BadRegion)?;
        let region = rlibphonenumber::Region::from_code(&code).map_err(|_| BadRegion)?;
        let planned = Plans::get().is_some_and(|plans| plans.calling_code(region).is_some());
        if planned { Ok(Self(region)) } else { Err(BadRegion) }
    }
}

/// The deployment's regions: one of its own, and those of sources elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    default: Region,
    by_source: BTreeMap<String, Region>,
}

/// A list of sources' regions that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRegions {
    /// An item has no `=`, or nothing before it.
    #[error("item {0} is not a source and its region")]
    Item(usize),
    /// An item's region is none.
    #[error("the region of item {0} {1}")]
    Region(usize, BadRegion),
    /// Two items name one source.
    #[error("item {0} names a source again")]
    Again(usize),
}

impl Regions {
    /// The regions of `source=DE,other=CI`, and `default` for every other source. Errors count items from 1.
    ///
    /// # Errors
    /// The first item that is wrong.
    pub fn new(default: Region, by_source: &str) -> Result<Self, BadRegions> {
        let mut regions = Self { default, by_source: BTreeMap::new() };
        let items = by_source.split(',').map(str::trim).filter(|item| !item.is_empty());
        for (item, at) in items.zip(1..) {
            let (source, region) =
                item.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(BadRegions::Item(at))?;
            let region = region.trim().parse().map_err(|bad| BadRegions::Region(at, bad))?;
            if regions.by_source.insert(source.trim().to_owned(), region).is_some() {
                return Err(BadRegions::Again(at));
            }
        }
        Ok(regions)
    }

    /// The region of every source that has none of its own.
    pub fn default_region(&self) -> Region {
        self.default
    }

    /// The region of the first of these names that has one, else the default.
    pub fn of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Region {
        if self.by_source.is_empty() {
            return self.default;
        }
        names.into_iter().find_map(|name| self.by_source.get(name)).copied().unwrap_or(self.default)
    }
}

impl From<Region> for Regions {
    fn from(default: Region) -> Self {
        Self { default, by_source: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_two_letters_and_a_plan() {
        for (text, code) in [("US", "1"), ("de", "49"), ("CI", "225"), ("GG", "44")] {
            assert_eq!(text.parse::<Region>().unwrap().calling_code(), code, "{text}");
        }
        for text in ["", "D", "DEU", "49", "ZZ", "XX", " DE", "É", "001"] {
            assert_eq!(text.parse::<Region>(), Err(BadRegion), "{text}");
        }
        assert_eq!(Region::US.to_string(), "US");
    }

    #[test]
    fn a_source_has_its_own_region_or_the_default() {
        let regions = Regions::new(Region::US, "crm=DE, aws.partner/genesys.com/cloud/x=CI").unwrap();
        let of = |names: &[&str]| regions.of(names.iter().copied()).to_string();
        assert_eq!((of(&["crm"]), of(&["dialer", "crm"])), ("DE".to_owned(), "DE".to_owned()));
        assert_eq!((of(&["CRM"]), of(&[])), ("US".to_owned(), "US".to_owned()));
        assert_eq!(Regions::new(Region::US, "").unwrap(), Regions::from(Region::US));
        for (text, error) in [
            ("crm", BadRegions::Item(1)),
            ("crm=DE,=DE", BadRegions::Item(2)),
            ("crm=49", BadRegions::Region(1, BadRegion)),
            ("crm=DE,crm=FR", BadRegions::Again(2)),
        ] {
            assert_eq!(Regions::new(Region::US, text), Err(error), "{text}");
        }
    }
}
