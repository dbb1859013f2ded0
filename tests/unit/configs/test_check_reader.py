"""A setting that the chosen reader does not use is an error that names it."""

from __future__ import annotations

import pytest

from configs.exceptions import ConfigError
from configs.load import load_config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.reader=taobao", "data.event_type=purchase"],
            r"taobao does not use data\.event_type: .*It uses data\.events\.",
        ),
        (["data.reader=online_retail", "data.decimal=','"], r"online_retail does not use data\.decimal"),
        (
            ["data.reader=movielens", "data.event_columns={user_id: u}"],
            r"movielens does not use data\.event_columns",
        ),
        (
            ["data.reader=ga4", "data.event_columns={user_id: u}"],
            r"ga4 does not use data\.event_columns: remove that. It uses data\.events, data\.items",
        ),
        (
            ["data.reader=shopify", "data.item_columns={id: sku}"],
            r"shopify does not use data\.item_columns",
        ),
        (
            ["data.reader=woocommerce", "data.event_type=purchase"],
            r"woocommerce does not use data\.event_type",
        ),
        (["data.reader=csv", "data.layout=line_a_user"], r"csv does not use data\.layout"),
        (["data.reader=parquet", "data.encoding=cp1252"], r"parquet does not use data\.encoding"),
        (["data.reader=movielens", "data.encoding=cp1252"], r"movielens does not use data\.encoding"),
        (["data.encoding=windows"], r"data\.encoding='windows' is no encoding.*cp1252"),
        (["data.encoding=base64"], r"data\.encoding='base64' is no encoding"),
        (["data.reader=session_text"], r"data\.clock=ordinal and split\.kind=leave_one_out"),
    ],
)
def test_a_setting_that_the_reader_does_not_use_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=overrides)


def test_a_setting_that_the_reader_uses_is_accepted() -> None:
    text = [
        "data.reader=session_text",
        "data.clock=ordinal",
        "split.kind=leave_one_out",
        "data.layout=line_a_user",
    ]
    assert load_config(overrides=text).data.layout == "line_a_user"
    assert load_config(
        overrides=["data.reader=movielens", "data.users=users.dat", "data.event_type=review"]
    ).data.users
