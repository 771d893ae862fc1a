"""NSE's corporate actions as raw records, from the CSV file and from the API."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from asknown.errors import UsageError
from asknown.ingestion.connectors.nse import Known, api_actions, corporate_actions
from asknown.ingestion.connectors.nse_files import Download
from asknown.reference.calendars import day_start
from tests.unit.ingestion.nse_feeds import KNOWN_AT, answer, api, feed, payloads, row


def test_action_row_becomes_a_record_of_its_terms() -> None:
    read = corporate_actions(feed(row("Dividend - Rs 12 Per Share")))
    (event,) = read.events
    assert event.topic == "raw.corporate_action"
    assert event.entity_id == "NSE:EQ:MCX"
    assert event.event_time_ms == day_start("XNSE", date(2013, 9, 18))
    payload = event.payload
    assert (payload["kind"], payload["status"]) == ("CASH_DIVIDEND", "CONFIRMED")
    assert (payload["cash_amount"], payload["currency"]) == (Decimal(12), "INR")
    assert payload["ex_date"] == date(2013, 9, 18)
    assert payload["record_date"] == date(2013, 9, 19)
    assert payload["version"] == 1
    assert payload["purpose"] == "Dividend - Rs 12 Per Share"
    assert payload["extra"]["known_from_estimated"] == "true"
    assert payload["extra"]["symbol_as_of"] == "download"
    assert payload["extra"]["FACE VALUE"] == "2"


def test_download_time_is_when_its_rows_were_known() -> None:
    (event,) = corporate_actions(feed(row("Bonus 1:1"), known_at=KNOWN_AT)).events
    assert event.event_time_ms == KNOWN_AT
    assert "known_from_estimated" not in event.payload["extra"]


def test_two_actions_of_one_purpose_are_two_records() -> None:
    purpose = "Bonus 1:1 And Face Value Split From Rs.10/- To Rs.5/-"
    read = corporate_actions(feed(row(purpose)))
    bonus, split = payloads(read)
    assert (bonus["kind"], bonus["ratio_numerator"], bonus["ratio_denominator"]) == ("BONUS", 1, 1)
    assert (split["kind"], split["ratio_numerator"], split["ratio_denominator"]) == ("SPLIT", 2, 1)
    assert (split["extra"]["face_value_from"], split["extra"]["face_value_to"]) == ("10", "5")
    assert [event.natural_key[-1] for event in read.events] == ["1", "2"]
    assert bonus["action_id"] != split["action_id"]
    assert read.events[0].event_id != read.events[1].event_id


@pytest.mark.parametrize(
    ("purpose", "kind", "flags"),
    [
        ("Something New", "OTHER", "UNPARSED"),
        ("Dividend - Re.1 Per Share", "CASH_DIVIDEND", "AMBIGUOUS"),
        ("Demerger", "DEMERGER", "MISSING_TERMS"),
        ("Bonus Debentures", "OTHER", "MISSING_TERMS"),
        ("Rights 1:4 @ Premium Rs 45/-", "RIGHTS", None),
        ("Dividend - Rs 99999999999 Per Share", "CASH_DIVIDEND", None),
    ],
)
def test_action_without_usable_terms_is_kept_for_a_person(
    purpose: str, kind: str, flags: str | None
) -> None:
    (payload,) = payloads(corporate_actions(feed(row(purpose))))
    assert (payload["kind"], payload["status"]) == (kind, "NEEDS_TERMS")
    assert payload["extra"].get("flags") == flags
    assert payload["purpose"] == purpose
    assert (payload["cash_amount"], payload["subscription_price"]) == (None, None)


@pytest.mark.parametrize("purpose", ["Annual General Meeting", "Merger", "Buy Back"])
def test_event_without_a_factor_is_kept_and_needs_nothing(purpose: str) -> None:
    (payload,) = payloads(corporate_actions(feed(row(purpose))))
    assert payload["kind"] in {"OTHER", "MERGER"}
    assert payload["status"] == "CONFIRMED"


def test_rights_premium_never_meets_the_face_value_of_today() -> None:
    line = row("Rights 173:100 @ Premium Rs.15/- Per Share")
    (payload,) = payloads(corporate_actions(feed(line)))
    assert (payload["subscription_price"], payload["status"]) == (None, "NEEDS_TERMS")
    assert payload["extra"]["premium"] == "15"


def test_rights_are_priced_with_the_face_value_before_their_day() -> None:
    asked: list[tuple[str, date]] = []

    def face_value(symbol: str, day: date) -> Decimal:
        asked.append((symbol, day))
        return Decimal(10)

    line = row("Rights 173:100 @ Premium Rs.15/- Per Share")
    (payload,) = payloads(corporate_actions(feed(line), Known(face_value=face_value)))
    assert (payload["subscription_price"], payload["status"]) == (Decimal(25), "CONFIRMED")
    assert (payload["ratio_numerator"], payload["ratio_denominator"]) == (173, 100)
    assert payload["currency"] == "INR"
    assert asked == [("MCX", date(2013, 9, 18))]


def test_rights_at_a_said_price_need_no_face_value() -> None:
    (payload,) = payloads(corporate_actions(feed(row("Rights 19:100 at Rs 150"))))
    assert (payload["subscription_price"], payload["status"]) == (Decimal(150), "CONFIRMED")


def test_action_row_without_an_ex_date_is_reported_with_its_line() -> None:
    lines = [row("Bonus 1:1"), row("Bonus 1:1", ex="-"), row("Bonus 1:1", symbol="")]
    read = corporate_actions(feed(*lines))
    assert len(read.events) == 1
    assert [problem.where for problem in read.problems] == ["ca.csv:3", "ca.csv:4"]


def test_unreadable_record_date_is_kept_as_it_stood() -> None:
    (payload,) = payloads(corporate_actions(feed(row("Bonus 1:1", record="soon"))))
    assert payload["record_date"] is None
    assert payload["extra"]["RECORD DATE"] == "soon"


def test_api_answer_becomes_a_record_with_its_isin() -> None:
    (payload,) = payloads(api_actions(api(answer())))
    assert (payload["symbol"], payload["isin"]) == ("GENSOL", "INE06H201014")
    assert (payload["ratio_numerator"], payload["ratio_denominator"]) == (2, 1)
    assert payload["announce_date"] is None
    assert payload["extra"]["faceVal"] == "10"


def test_api_answer_with_a_broadcast_time_has_an_announcement_date() -> None:
    told = answer(caBroadcastDate="09-Oct-2023 18:30:11")
    (payload,) = payloads(api_actions(api(told)))
    assert payload["announce_date"] == date(2023, 10, 9)


@pytest.mark.parametrize("text", ["<html>", "{}", "[1]", '{"data": 3}'])
def test_answer_that_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        api_actions(Download("api.json", text))
    assert (refused.value.code, refused.value.where) == ("ASKNOWN-INGEST-050", "api.json")


def test_amended_ex_date_keeps_the_action_id_and_is_another_event() -> None:
    first = api_actions(api(answer(), known_at=1)).events[0]
    moved = answer(exDate="19-Oct-2023")
    second = api_actions(api(moved, known_at=2, version=2)).events[0]
    assert first.payload["action_id"] == second.payload["action_id"]
    assert (first.payload["version"], second.payload["version"]) == (1, 2)
    assert first.event_id != second.event_id


def test_row_read_again_is_the_same_event_whenever_it_is_known() -> None:
    first = api_actions(api(answer())).events[0]
    again = api_actions(api(answer(), known_at=KNOWN_AT, version=7)).events[0]
    assert first.event_id == again.event_id


def test_other_terms_or_another_announcement_are_another_action() -> None:
    changes = ({}, {"subject": "Bonus 3:1"}, {"recDate": "17-Oct-2024"}, {"isin": "INE002A01018"})
    found = api_actions(api(*(answer(**change) for change in changes)))
    assert len({event.payload["action_id"] for event in found.events}) == len(changes)


def test_isin_that_a_split_renewed_keeps_the_action_id() -> None:
    isins = ("INE672A01018", "INE672A01026")
    found = api_actions(api(*(answer(isin=isin) for isin in isins)))
    assert len({event.payload["action_id"] for event in found.events}) == 1


def test_csv_and_api_name_one_action_alike_when_the_isin_is_known() -> None:
    line = row("Bonus 2:1", "GENSOL", "17-Oct-2023", "17-Oct-2023")
    known = Known(isins={"GENSOL": "INE06H201014"})
    (from_csv,) = payloads(corporate_actions(feed(line), known))
    (from_api,) = payloads(api_actions(api(answer())))
    assert from_csv["action_id"] == from_api["action_id"]
    (unknown,) = payloads(corporate_actions(feed(line)))
    assert unknown["action_id"] != from_api["action_id"]


def test_equal_dividends_without_another_date_are_two_actions() -> None:
    lines = [row("Dividend - Rs 2", ex=day, record="-") for day in ("01-Feb-2023", "01-Aug-2023")]
    first, second = payloads(corporate_actions(feed(*lines)))
    assert first["action_id"] != second["action_id"]
