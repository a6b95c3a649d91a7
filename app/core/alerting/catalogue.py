"""Every sentence of an alert, in English and Indonesian, side by side.

One table: a key without one of the languages cannot be written, and a test holds that both name the same
placeholders. Only tags that Telegram knows; values come in escaped (`markup`). Used by the texts of this
package.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.alerts import Language

# key -> (English, Indonesian)
PHRASES: Mapping[str, tuple[str, str]] = {
    "market": ("Whole market", "Seluruh pasar"),
    # What happened: the headline, after the coin.
    "what.STOP_HUNT.LONG": (
        "{usd} of longs liquidated in {window}",
        "{usd} posisi long dilikuidasi dalam {window}",
    ),
    "what.STOP_HUNT.SHORT": (
        "{usd} of shorts liquidated in {window}",
        "{usd} posisi short dilikuidasi dalam {window}",
    ),
    "what.STOP_HUNT.reclaim.LONG": (
        "reclaimed after {usd} of longs liquidated in {window}",
        "pulih setelah {usd} posisi long dilikuidasi dalam {window}",
    ),
    "what.STOP_HUNT.reclaim.SHORT": (
        "reclaimed after {usd} of shorts liquidated in {window}",
        "pulih setelah {usd} posisi short dilikuidasi dalam {window}",
    ),
    "what.STOP_HUNT.reclaim": (
        "reclaimed after {usd} liquidated in {window}",
        "pulih setelah {usd} dilikuidasi dalam {window}",
    ),
    "mix.LONG": (", {share} longs", ", {share} posisi long"),
    "mix.SHORT": (", {share} shorts", ", {share} posisi short"),
    "what.STOP_HUNT": ("{usd} liquidated in {window}", "{usd} dilikuidasi dalam {window}"),
    "what.LIQUIDATION_ZSCORE.LONG": (
        "unusually many longs liquidated, {usd} in {window}",
        "likuidasi posisi long luar biasa besar, {usd} dalam {window}",
    ),
    "what.LIQUIDATION_ZSCORE.SHORT": (
        "unusually many shorts liquidated, {usd} in {window}",
        "likuidasi posisi short luar biasa besar, {usd} dalam {window}",
    ),
    "what.LIQUIDATION_ZSCORE": (
        "unusually large liquidations, {usd} in {window}",
        "likuidasi luar biasa besar, {usd} dalam {window}",
    ),
    "what.ACCUMULATION": (
        "accumulation: buyers dominate, {usd} in {window}",
        "akumulasi: pembeli mendominasi, {usd} dalam {window}",
    ),
    "what.DISTRIBUTION": (
        "distribution: sellers dominate, {usd} in {window}",
        "distribusi: penjual mendominasi, {usd} dalam {window}",
    ),
    "what.WHALE_ACCUMULATION": (
        "whale accumulation: large buyers, {usd} in {window}",
        "akumulasi paus: pembeli besar, {usd} dalam {window}",
    ),
    "what.WHALE_DISTRIBUTION": (
        "whale distribution: large sellers, {usd} in {window}",
        "distribusi paus: penjual besar, {usd} dalam {window}",
    ),
    "what.VOLUME_SPIKE": ("volume spike, {usd} in {window}", "lonjakan volume, {usd} dalam {window}"),
    "measure.share": (", {share} of the volume", ", {share} dari volume"),
    "measure.times": (
        ", {times}x the mean of the minutes before",
        ", {times}x rata-rata menit-menit sebelumnya",
    ),
    "what.WHALE_POSITION": ("whale position of {usd}", "posisi paus sebesar {usd}"),
    "what.WHALE_POSITION.opened.LONG": (
        "a whale opened a long of {usd}",
        "seekor paus membuka posisi long sebesar {usd}",
    ),
    "what.WHALE_POSITION.opened.SHORT": (
        "a whale opened a short of {usd}",
        "seekor paus membuka posisi short sebesar {usd}",
    ),
    "what.WHALE_POSITION.closed.LONG": (
        "a whale closed a long of {usd}",
        "seekor paus menutup posisi long sebesar {usd}",
    ),
    "what.WHALE_POSITION.closed.SHORT": (
        "a whale closed a short of {usd}",
        "seekor paus menutup posisi short sebesar {usd}",
    ),
    "what.FUNDING_EXTREME": ("extreme funding", "funding ekstrem"),
    "what.FUNDING_EXTREME.rate": (
        "extreme funding, {rate} per 8 h",
        "funding ekstrem, {rate} per 8 jam",
    ),
    "what.OI_SPIKE": (
        "open interest moved by {usd} in {window}",
        "open interest berubah {usd} dalam {window}",
    ),
    "what.OI_SPIKE.change": (
        "open interest {change} in {window}, price {price_change}",
        "open interest {change} dalam {window}, harga {price_change}",
    ),
    "what.HEATMAP": (
        "liquidations concentrated, {usd} in {window}",
        "likuidasi terkonsentrasi, {usd} dalam {window}",
    ),
    "what.HEATMAP.tile": (
        "liquidations concentrated between {low} and {high}",
        "likuidasi terkonsentrasi antara {low} dan {high}",
    ),
    "ratio": ("({ratio}x the threshold)", "({ratio}x ambang batas)"),
    # Where a cascade stands.
    "phase.building.LONG": (
        "Cascade under way: forced selling pushes the price down.",
        "Kaskade sedang berlangsung: jual paksa menekan harga turun.",
    ),
    "phase.building.SHORT": (
        "Cascade under way: forced buying pushes the price up.",
        "Kaskade sedang berlangsung: beli paksa mendorong harga naik.",
    ),
    "phase.peak.LONG": ("Past its peak: forced selling slows.", "Melewati puncak: jual paksa melambat."),
    "phase.peak.SHORT": ("Past its peak: forced buying slows.", "Melewati puncak: beli paksa melambat."),
    "phase.reclaim.LONG": (
        "Reclaimed: the price is back up in its range from before the cascade.",
        "Pulih: harga kembali naik ke rentang sebelum kaskade.",
    ),
    "phase.reclaim.SHORT": (
        "Reclaimed: the price is back down in its range from before the cascade.",
        "Pulih: harga kembali turun ke rentang sebelum kaskade.",
    ),
    "phase.continuation.LONG": (
        "Not reclaimed: the price stayed below its range from before the cascade.",
        "Tidak pulih: harga bertahan di bawah rentang sebelum kaskade.",
    ),
    "phase.continuation.SHORT": (
        "Not reclaimed: the price stayed above its range from before the cascade.",
        "Tidak pulih: harga bertahan di atas rentang sebelum kaskade.",
    ),
    "phase.ended": (
        "Over. Without enough traded prices nobody can say whether it was reclaimed.",
        "Selesai. Tanpa cukup harga transaksi, tidak dapat dinilai apakah harga pulih.",
    ),
    "phase.ended.inside": (
        "Over: the price did not leave its range from before the cascade.",
        "Selesai: harga tidak keluar dari rentang sebelum kaskade.",
    ),
    # Direction.
    "direction.LONG": ("🟢 <b>LONG</b>", "🟢 <b>LONG</b>"),
    "direction.SHORT": ("🔴 <b>SHORT</b>", "🔴 <b>SHORT</b>"),
    "direction.NEUTRAL": ("⚪ No direction", "⚪ Tanpa arah"),
    "direction.waiting": (
        "⚪ No direction unless the price comes back into its range",
        "⚪ Belum ada arah, kecuali harga kembali ke rentangnya",
    ),
    "direction.apart": (
        "⚪ The way back is an alert of its own",
        "⚪ Arah baliknya adalah peringatan tersendiri",
    ),
    "direction.opposed": (
        "⚪ No direction: sources disagree (LONG {long}, SHORT {short} of 100)",
        "⚪ Tanpa arah: sumber bertentangan (LONG {long}, SHORT {short} dari 100)",
    ),
    # Price and levels.
    "price": ("Price {price}", "Harga {price}"),
    "price.none": ("No traded price known", "Harga transaksi tidak diketahui"),
    "price.venue": (
        "No traded price known; venues state liquidation prices of {low} to {high}",
        "Harga transaksi tidak diketahui; bursa menyebut harga likuidasi {low} sampai {high}",
    ),
    "percentile": (
        "Higher than {share} of its own past",
        "Lebih tinggi dari {share} riwayatnya sendiri",
    ),
    "percentile.minute": (
        "Its busiest minute is larger than {share} of the coin's minutes of up to 24 h",
        "Menit tersibuknya lebih besar dari {share} menit koin ini, paling jauh 24 jam",
    ),
    "percentile.past": (
        "Higher than {share} of its last {past}",
        "Lebih tinggi dari {share} dalam {past} terakhir",
    ),
    "levels": (
        "Entry {entry} · stop {stop} ({stop_change}) · targets {targets}",
        "Masuk {entry} · stop {stop} ({stop_change}) · target {targets}",
    ),
    # Market context.
    "context.FAVORABLE": ("Market context favourable: {facts}", "Konteks pasar mendukung: {facts}"),
    "context.NEUTRAL": ("Market context neutral: {facts}", "Konteks pasar netral: {facts}"),
    "context.UNFAVORABLE": ("Market context unfavourable: {facts}", "Konteks pasar tidak mendukung: {facts}"),
    "context.funding": ("funding {rate} per 8 h", "funding {rate} per 8 jam"),
    "context.funding_rank": (
        "funding {rate} per 8 h (above {share} of its own 30 days)",
        "funding {rate} per 8 jam (di atas {share} dari 30 harinya sendiri)",
    ),
    "context.oi": ("open interest {change} in 1 h", "open interest {change} dalam 1 jam"),
    "context.oi_rank": (
        "open interest {change} in 1 h (above {share} of its own 30 days)",
        "open interest {change} dalam 1 jam (di atas {share} dari 30 harinya sendiri)",
    ),
    "context.unknown": ("unknown: {names}", "tidak diketahui: {names}"),
    "context.none": ("no figures", "tanpa angka"),
    "unknown.funding": ("funding", "funding"),
    "unknown.open_interest": ("open interest", "open interest"),
    # Confidence and what it rests on.
    "confidence": ("Confidence {points}/100", "Keyakinan {points}/100"),
    "record.weighed": (
        "{wins} of {scored} like this won after costs ({shift} points)",
        "{wins} dari {scored} yang serupa untung setelah biaya ({shift} poin)",
    ),
    "record.few": (
        "n = {scored} outcomes, too few to weigh",
        "n = {scored} hasil, terlalu sedikit untuk diperhitungkan",
    ),
    "record.none": ("no outcomes counted yet", "belum ada hasil yang dihitung"),
    "sources": ("Agreeing: {names}", "Sepakat: {names}"),
    "sources.opposed": ("Disagreeing: {names}", "Bertentangan: {names}"),
    "kind.STOP_HUNT": ("stop hunt", "perburuan stop"),
    "kind.ACCUMULATION": ("accumulation", "akumulasi"),
    "kind.DISTRIBUTION": ("distribution", "distribusi"),
    "kind.WHALE_ACCUMULATION": ("whale accumulation", "akumulasi paus"),
    "kind.WHALE_DISTRIBUTION": ("whale distribution", "distribusi paus"),
    "kind.VOLUME_SPIKE": ("volume spike", "lonjakan volume"),
    "kind.WHALE_POSITION": ("whale position", "posisi paus"),
    "kind.FUNDING_EXTREME": ("extreme funding", "funding ekstrem"),
    "kind.OI_SPIKE": ("open interest spike", "lonjakan open interest"),
    "kind.LIQUIDATION_ZSCORE": ("unusual liquidations", "likuidasi tak biasa"),
    "kind.HEATMAP": ("heatmap", "peta panas"),
    # Where it comes from.
    "origin": (
        "Source: {feeds} · {age} old · id <code>{id}</code>",
        "Sumber: {feeds} · {age} lalu · id <code>{id}</code>",
    ),
    "origin.update": (
        "Source: {feeds} · {age} old · update {revision} · id <code>{id}</code>",
        "Sumber: {feeds} · {age} lalu · pembaruan {revision} · id <code>{id}</code>",
    ),
    "origin.follows": (
        "Source: {feeds} · {age} old · id <code>{id}</code>, follows <code>{follows}</code>",
        "Sumber: {feeds} · {age} lalu · id <code>{id}</code>, lanjutan <code>{follows}</code>",
    ),
    "origin.unknown": ("unknown", "tidak diketahui"),
    "advice": ("<i>Market data, not advice.</i>", "<i>Data pasar, bukan nasihat.</i>"),
    "repeat": (
        "<i>Repeat: it is not known whether this message arrived before.</i>",
        "<i>Ulangan: tidak diketahui apakah pesan ini sudah sampai sebelumnya.</i>",
    ),
    # Several alerts in one message.
    "digest.title": ("Alerts: {alerts} · coins: {coins}", "Peringatan: {alerts} · koin: {coins}"),
    "digest.more": ("... and {more} more", "... dan {more} lagi"),
    "summary.title": (
        "Last {span} · alerts: {alerts} · coins: {coins}",
        "{span} terakhir · peringatan: {alerts} · koin: {coins}",
    ),
    "summary.none": ("Last {span} · no alerts", "{span} terakhir · tidak ada peringatan"),
    # The feed itself.
    "notice.lost": (
        "⚠️ <b>Data feed {source} is silent</b> since {since}. Alerts from it are not to be expected.",
        "⚠️ <b>Sumber data {source} diam</b> sejak {since}. Peringatan darinya tidak dapat diharapkan.",
    ),
    "notice.recovered": (
        "✅ <b>Data feed {source} is back</b>. Silent from {since} to {until} ({span}): "
        "events of that time may be missing.",
        "✅ <b>Sumber data {source} kembali</b>. Diam dari {since} sampai {until} ({span}): "
        "peristiwa pada waktu itu mungkin hilang.",
    ),
    # Buttons (plain text).
    "button.mute": ("Mute {symbol} 1 h", "Senyapkan {symbol} 1 jam"),
    "button.details": ("Details", "Rincian"),
    "button.dashboard": ("Open dashboard", "Buka dasbor"),
    # Units of time.
    "span.s": ("{n} s", "{n} dtk"),
    "span.min": ("{n} min", "{n} mnt"),
    "span.h": ("{n} h", "{n} jam"),
    "span.d": ("{n} d", "{n} hari"),
}


def phrase(key: str, language: Language) -> str:
    """The template of a key in this language."""
    english, indonesian = PHRASES[key]
    return indonesian if language is Language.ID else english
