"""Writes times.json: texts of times with what pandas reads, and series of dates of its
frequencies. For forms that pandas does not read, datetime of Python's library says
what ISO 8601 means. Run with pandas 2 or 3: python times.py"""
import datetime
import json
import warnings

import pandas as pd

warnings.simplefilter("ignore")
texts = """2024-03-29 00:00:00+00:00|2010-01|2010-01-05 14:00|2010-01-05T14:00|2010-01-05T14:00Z|2010-01-05T14:00:00.250Z
2010-01-05T14:00:00.250000000|2010-01-05 14:00:00,250|2010-01-05 14:00+0100|2010-01-05 14:00+01:00|2010-01-05 14:00 +01:00
2010-01-05 14:00-0330|2010-01-05 14:00+01|2010-01-05 14|2010-01-05 2 PM|2010/1/5|2010.01.05|20100105|20100105T1400
20100105T140000Z|20100105 140000|201001051400|20100105140000|20100105 14:00|2010Q1|2010q1|2010-Q3|29 Mar 2024|29-Mar-2024
29-MAR-2024|29 March 2024|March 29, 2024|Mar 29 2024|Mar. 29, 2024|Fri, 29 Mar 2024 15:04:05 GMT|Fri Mar 29 2024
Friday, March 29, 2024|Sept 5, 2024|May 5, 2024|Mar 2024|March 2024|Mar-2024|2024-Mar-29|2024 Mar|2024-03-29 12:04 AM
2024-03-29 12:04:05 pm|2010""".replace("\n", "|").split("|")
forms = [[s, pd.to_datetime(s)] for s in texts]
forms += [["Q3 2010", pd.Period("2010Q3").start_time], ["2010M01", pd.Period("2010-01").start_time]]
forms += [[s, datetime.datetime.fromisoformat(s)] for s in ["2010-W05", "2010-W05-3", "2010W053", "2009-W53-7", "2020-W01-1"]]
forms += [[s, datetime.datetime.strptime(s, "%Y-%j")] for s in ["2010-089", "2024-366"]]


def iso(t):
    if t.tzinfo is None:
        return t.isoformat()
    return t.astimezone(datetime.timezone.utc).isoformat()


series = []
for freq, fmt in [
    ("D", "%Y-%m-%d"), ("B", "%Y-%m-%d"), ("W-WED", "%d-%b-%Y"), ("MS", "%Y-%m"), ("ME", "%Y-%m-%d"), ("BME", "%Y-%m-%d"),
    ("BMS", "%Y-%m-%d"), ("QS", "Q"), ("QE", "%Y-%m-%d"), ("BQE", "%Y-%m-%d"), ("YE", "%Y-%m-%d"), ("YS", "%Y"),
    ("W-MON", "%G-W%V"), ("W-SUN", "%G-W%V-%u"), ("MS", "%b %Y"), ("MS", "%B %Y"), ("D", "%d %B %Y"), ("D", "%Y-%j"),
    ("15min", "%Y%m%dT%H%M"), ("h", "%Y-%m-%d %I %p"), ("2h", "%a, %d %b %Y %H:%M:%S GMT"),
]:
    t = pd.date_range("2023-09-27", periods=60, freq=freq)
    text = [f"{x.year}Q{x.quarter}" for x in t] if fmt == "Q" else [x.strftime(fmt) for x in t]
    series.append({"freq": freq, "rows": text[:30], "next": text[30:]})

with open("times.json", "w") as f:
    json.dump({"pandas": pd.__version__, "forms": [[s, iso(t)] for s, t in forms], "series": series}, f, indent=1)
    f.write("\n")
