"""What customers speak of, and the words that tell it, in English and Chinese.

A list that everybody can read and change: `reviews.aspects`. A word in Latin letters is a whole word, with
`*` for any ending; a Chinese word is found anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

OTHER: Final = "other"
"""A clause about nothing on the list"""
OVERALL: Final = "overall"
"""The review as a whole"""

_ENGLISH: Final = {
    "size": "size, sizes, sized, sizing, fit, fits, fitted, fitting, tight, loose, too small, too big, "
    "too large, too long, too short, runs small, runs large",
    "quality": "quality, broke, broken, breaks, defect*, faulty, durab*, sturdy, flimsy, cheaply, material, "
    "fabric, well made, poorly made, stopped working, tear*, torn",
    "delivery": "deliver*, ship*, arriv*, courier, parcel, post, late, tracking",
    "service": "service, support, staff, seller, refund*, return*, exchange*, customer care, reply, replied, "
    "rude, helpful, warranty",
    "price": "price*, pricey, expensive, cheap, cheaper, cost*, value, worth, money, bargain, overpriced, "
    "affordable",
    "packaging": "packag*, packed, packing, box, boxed, wrapp*, leak*, sealed, dented, crushed",
    "freshness": "fresh*, stale, rotten, mould*, mold*, expired, taste*, tasty, flavour*, flavor*, "
    "delicious, ripe, smell*, spoiled",
    "description": "description, described, advertised, picture*, photo*, pictured, as shown, misleading, "
    "fake, genuine, authentic, wrong colour, wrong color, wrong item, missing",
}
_CHINESE: Final = {
    "size": "尺码 尺寸 大小 码数 合身 偏大 偏小 大了 小了 太紧 偏紧 宽松 太肥 偏肥 太长 太短 合脚",
    "quality": "质量 品质 做工 材质 材料 面料 布料 结实 耐用 坏了 坏的 瑕疵 故障 掉色 起球 破损 "
    "手感 次品 死机 花屏",
    "delivery": "快递 物流 送货 发货 配送 到货 收到货 派送 运费",
    "service": "服务 客服 售后 态度 店主 卖家 退货 退款 换货 前台 回复 保修",
    "price": "价格 价钱 便宜 太贵 贵了 偏贵 很贵 好贵 有点贵 不贵 实惠 划算 性价比 降价 不值 物超所值 优惠",
    "packaging": "包装 盒子 箱子 漏 密封 压坏 压扁",
    "freshness": "新鲜 味道 口感 好吃 难吃 烂了 烂的 腐烂 过期 变质 甜 保质期 异味 气味 发霉",
    "description": "描述 图片 照片 色差 正品 假货 假的 不符 发错 少发 实物 山寨",
}
ASPECT_WORDS: Final[Mapping[str, Sequence[str]]] = {
    name: (*words.split(", "), *_CHINESE[name].split()) for name, words in _ENGLISH.items()
}


def aspect_words(changed: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The built-in aspects with those of `reviews.aspects`: new ones, other words, and `[]` for none."""
    return {name: words for name, words in {**ASPECT_WORDS, **changed}.items() if words}


def aspects_of(clauses: pl.Series, words: Mapping[str, Sequence[str]]) -> pl.Series:
    """The aspects that each clause speaks of, as a list; `other` where it is none of them."""
    if not words:
        return pl.Series("aspect", [[OTHER]] * len(clauses), dtype=pl.List(pl.String))
    found = pl.DataFrame(
        [
            clauses.str.contains(_pattern(of_aspect)).fill_null(value=False).alias(name)
            for name, of_aspect in words.items()
        ]
    )
    named = found.select(
        pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in words).list.drop_nulls()
    ).to_series()
    empty = pl.lit([OTHER], dtype=pl.List(pl.String))
    return (
        named.to_frame("aspect")
        .select(pl.when(pl.col("aspect").list.len() > 0).then("aspect").otherwise(empty).alias("aspect"))
        .to_series()
    )


def _pattern(words: Sequence[str]) -> str:
    plain = [word for word in words if not _has_han(word)]
    han = [re.escape(word) for word in words if _has_han(word)]
    whole = "|".join(_whole_word(word) for word in plain)
    parts = ([rf"(?i:\b(?:{whole})\b)"] if whole else []) + han
    return "|".join(parts)


def _whole_word(word: str) -> str:
    ending = r"[\p{L}\p{M}]*" if word.endswith("*") else ""
    return r"\s+".join(re.escape(part) for part in word.removesuffix("*").split()) + ending


def _has_han(word: str) -> bool:
    return any("\u3040" <= character <= "\u9fff" for character in word)
