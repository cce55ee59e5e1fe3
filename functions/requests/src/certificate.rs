//! `GET …/requests/{id}/certificate`: the certificate of an erasure that is done, while it is kept; with `format=html` the page of it.
//!
//! Invariant: it is given to whoever may see the request, in the bytes that were written: what proves is the file, and no part of it is
//! changed on the way. A large one is given in parts, since an answer of the function's may have 6 MB: joined, they are the file.

use ledgerline_lambda::api::Request;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::package::Form;
use ledgerline_store::usage::Use;

use crate::problem::Problem;
use crate::{Answered, Call, Said};

/// Bytes of a part: as JSON within JSON every seventh is escaped, which leaves it far below 6 MB.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// The certificate, or a part of it.
pub(crate) async fn certificate(call: &Call<'_>, request: &Request<'_>, id: &str) -> Result<Answered, Problem> {
    let asked = request.parameters(&["format", "part"])?;
    let form = match asked.get("format").map(String::as_str) {
        None | Some("json") => Form::Json,
        Some("html") => Form::Html,
        Some(_) => return Err(Problem::no_such_format()),
    };
    let part = asked.get("part").map(|part| part.parse::<usize>().map_err(|_| Problem::no_such_part())).transpose()?;
    let row = call.request(id).await?;
    let certificate = row.certificate.as_ref().ok_or_else(Problem::no_certificate)?;
    if certificate.until <= call.now {
        return Err(Problem::certificate_expired());
    }
    let keys = call.keys_of_request().await?;
    let by = call.alias(&keys).await?;
    if part.unwrap_or_default() == 0 {
        call.count(&by, Use::Preview).await?;
    }
    let bytes = call.stores().packages.certificate(id, form).await?.ok_or_else(Problem::certificate_expired)?;
    let text =
        str::from_utf8(&bytes).map_err(|error| StoreError::Corrupt(Failure::caused_by("read a certificate", error)))?;
    let text = match part {
        Some(part) => part_of(text, part, PART_BYTES),
        None if text.len() > PART_BYTES => return Err(Problem::in_parts(text.len().div_ceil(PART_BYTES))),
        None => text,
    };
    Ok(Answered {
        status: 200,
        what: "certificate given",
        request: Some(id.to_owned()),
        state: Some(row.state.as_str()),
        by: Some(by),
        body: Said::Document(form.content_type(), text.to_owned()),
    })
}

/// The part of this number, from 0; empty behind the last. No character is cut in two.
fn part_of(text: &str, part: usize, bytes: usize) -> &str {
    let at = |part: usize| text.floor_char_boundary(part.saturating_mul(bytes).min(text.len()));
    &text[at(part)..at(part.saturating_add(1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_joined_are_the_whole() {
        let text = "a\u{fc}b\u{20ac}c\u{1f600}d";
        for bytes in 4..=text.len() + 1 {
            let parts: Vec<&str> =
                (0..).map(|part| part_of(text, part, bytes)).take_while(|part| !part.is_empty()).collect();
            assert_eq!(parts.concat(), text, "{bytes}");
        }
        assert_eq!(part_of(text, usize::MAX, 4), "");
        assert_eq!(part_of("", 0, 4), "");
    }
}
