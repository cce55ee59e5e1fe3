"""Writes spellings of telephone numbers, one a line, and what the reference library makes of each.

Columns, by tabs: region where it is read; the spelling; the number that it was made from; what the reference reads, in E.164, or
`-` where that is not a possible number; and `must` if every reader is to find the number, `may` if a cautious one may not,
`foreign` if the digits are read in another country than they were written in, or `local` if the area code is missing, so that the
number is another subscriber's in every city.
"""
import random

import phonenumbers
from phonenumbers import PhoneNumberFormat as Form
from phonenumbers import PhoneNumberType as Type
from phonenumbers import ValidationResult

REGIONS = (
    "US CA JM GB IE DE AT CH FR BE NL LU IT SM ES PT CI SN MA EG NG KE ZA MX BR AR CL CO PE IN PK BD CN HK JP KR TW SG MY ID PH TH VN AU NZ RU KZ "
    "UA PL CZ HU RO GR TR IL AE SA SE NO DK FI IS EE LT"
).split()
TYPES = (Type.FIXED_LINE, Type.MOBILE, Type.VOIP, Type.TOLL_FREE)
FULL_WIDTH = {ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}
ARABIC = {ord("0") + digit: chr(0x660 + digit) for digit in range(10)}


def possible(number):
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def spellings(number):
    e164 = phonenumbers.format_number(number, Form.E164)
    national = phonenumbers.format_number(number, Form.NATIONAL)
    spaced = phonenumbers.format_number(number, Form.INTERNATIONAL)
    plain = phonenumbers.national_significant_number(number)
    code = str(number.country_code)
    yield "must", e164
    yield "must", spaced
    yield "must", national
    yield "must", phonenumbers.format_number(number, Form.RFC3966)
    yield "must", spaced.replace(" ", "-")
    yield "must", spaced.replace(" ", ".")
    yield "must", spaced.replace(" ", "\u00a0")
    yield "must", f"  {e164} "
    yield "must", f"\u202a{e164}\u202c"
    yield "must", e164.translate(FULL_WIDTH)
    yield "must", spaced.translate(ARABIC)
    yield "must", "00" + e164[1:]
    yield "must", f"tel:{e164}"
    yield "must", f"tel:{plain};phone-context=+{code}"
    yield "must", f"sip:{e164}@edge.example;user=phone"
    yield "must", f"<sip:{e164}@198.51.100.7:5060>;tag=9"
    yield "must", f'"A. Caller" <tel:{e164}>'
    yield "must", f"whatsapp:{e164}"
    yield "must", f"{e164};ext=44"
    yield "must", f"{spaced} ext. 12"
    yield "must", f"{spaced} x12"
    yield "must", f"{e164},,77#"
    yield "may", plain
    yield "may", e164[1:]
    yield "may", f"{national} ext. 12"
    yield "may", f"+{code} (0) {plain}"
    yield "may", f"+{code} (0){plain}"
    yield "may", f"({plain[:3]}) {plain[3:6]}-{plain[6:]}"
    yield "may", f"{plain[:3]}/{plain[3:]}"
    yield "may", f"sip:{plain}@edge.example"


def main():
    chance = random.Random(20261130)
    seen = set()
    for place, region in enumerate(REGIONS):
        elsewhere = REGIONS[(place + 7) % len(REGIONS)]
        for kind in TYPES:
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            number = phonenumbers.PhoneNumber()
            number.merge_from(example)
            number.national_number = example.national_number - chance.randrange(0, example.national_number % 1000 + 1)
            if not possible(number):
                continue
            e164 = phonenumbers.format_number(number, Form.E164)
            rows = [(region, spelled, sort) for sort, spelled in spellings(number)]
            plain = phonenumbers.national_significant_number(number)
            dials_trunk = phonenumbers.ndd_prefix_for_region(region, True)
            rows += [(region, plain[cut:], "local") for cut in (2, 3) if dials_trunk and 6 <= len(plain[cut:]) <= 8 and plain[cut] != "0"]
            rows.append((elsewhere, e164, "must"))
            rows.append((elsewhere, e164[1:], "foreign"))
            rows.append((elsewhere, plain, "foreign"))
            for read_in, spelled, sort in rows:
                if (read_in, spelled) in seen:
                    continue
                seen.add((read_in, spelled))
                try:
                    parsed = phonenumbers.parse(spelled, read_in)
                    reference = phonenumbers.format_number(parsed, Form.E164) if possible(parsed) else "-"
                except phonenumbers.NumberParseException:
                    reference = "-"
                print(read_in, spelled, e164, reference, sort, sep="\t")


main()
