"""Writes oracle.txt: daylight-saving cases as Python's zoneinfo sees them, minute by minute.

    python3 oracle.py > oracle.txt

It shares no idea with the implementation: it walks real minutes, looks at the clock on the wall and keeps book of the
local times that it has seen. A line is `zone;cron;from;until;due due due`: every instant later than `from` and not later
than `until`.
"""
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


def values(field, low, high):
    found = set()
    for entry in field.split(","):
        span, _, step = entry.partition("/")
        first, last = (low, high) if span == "*" else (int(span.split("-")[0]), int(span.split("-")[-1]))
        found |= set(range(first, last + 1, int(step or 1)))
    return found


class Pattern:
    def __init__(self, cron):
        minute, hour, day, month, weekday = cron.split()
        self.minutes, self.hours, self.months = values(minute, 0, 59), values(hour, 0, 23), values(month, 1, 12)
        self.last_day = day == "L"
        self.days = set() if self.last_day else values(day, 1, 31)
        self.weekdays = {number % 7 for number in values(weekday, 0, 7)}
        self.either = day[0] != "*" and weekday[0] != "*"
        self.every_hour = len(self.hours) == 24

    def names(self, wall):
        day = (wall + timedelta(days=1)).day == 1 if self.last_day else wall.day in self.days
        weekday = wall.isoweekday() % 7 in self.weekdays
        days = (day or weekday) if self.either else (day and weekday)
        return days and wall.month in self.months and wall.hour in self.hours and wall.minute in self.minutes


def due(zone, pattern, start, end):
    seen, before = set(), None
    # A day earlier, so that a time that comes twice has been seen before.
    moment = start - timedelta(days=2)
    while moment <= end:
        wall = moment.astimezone(zone).replace(tzinfo=None)
        named = pattern.names(wall)
        if not pattern.every_hour:
            named = named and wall not in seen
            skipped = [] if before is None else [
                before + MINUTE * n for n in range(1, int((wall - before) / MINUTE))]
            if len(skipped) <= 180:
                named = named or any(pattern.names(time) and time not in seen for time in skipped)
        seen.add(wall)
        before = wall
        if named and moment > start:
            yield moment
        moment += MINUTE


OFTEN = ["*/15 * * * *", "0 * * * *", "*/20 1-3 * * *"]
DAILY = ["0 2 * * *", "30 2 * * *", "15,45 1-3 * * *", "0 */2 * * *", "30 0 * * *", "0 3 * * 0", "59 23 * * *"]
CHANGES = {
    "Europe/Berlin": ["2024-03-31T01:00", "2024-10-27T01:00"],
    "America/New_York": ["2025-03-09T07:00", "2025-11-02T06:00"],
    "Australia/Lord_Howe": ["2024-04-06T15:00", "2024-10-05T15:30"],
    "Asia/Kathmandu": ["2024-03-31T01:00"],
    "Pacific/Apia": ["2011-12-30T10:00", "2012-03-31T14:00", "2012-09-29T14:00"],
    "America/Sao_Paulo": ["2018-11-04T03:00", "2018-02-18T02:00"],
    "America/St_Johns": ["2010-03-14T03:31", "2010-11-07T02:31"],
    "Asia/Pyongyang": ["2015-08-14T15:00", "2018-05-04T15:00"],
    "Africa/Casablanca": ["2024-03-10T02:00", "2024-04-14T02:00"],
    "Europe/Dublin": ["2024-03-31T01:00", "2024-10-27T01:00"],
    "Antarctica/Troll": ["2024-03-31T01:00", "2024-10-27T01:00"],
}
LONG = [
    ("Europe/Berlin", "0 2 29 2 *", "2023-01-01T00:00", "2029-01-01T00:00"),
    ("America/New_York", "0 0 L * *", "2023-12-01T00:00", "2024-12-15T00:00"),
    ("Europe/Berlin", "30 2 L 3 *", "2023-01-01T00:00", "2025-01-01T00:00"),
    ("Australia/Lord_Howe", "15 2 1,15 * 1", "2024-03-01T00:00", "2024-11-01T00:00"),
    ("Europe/Berlin", "30 2 */10 * 0", "2024-01-01T00:00", "2024-12-31T00:00"),
    ("Pacific/Apia", "0 2 30 12 *", "2011-06-01T00:00", "2013-06-01T00:00"),
    ("Pacific/Apia", "0 12 * * 5", "2011-12-01T00:00", "2012-02-01T00:00"),
]


def line(name, cron, start, end):
    instants = due(ZoneInfo(name), Pattern(cron), start, end)
    shown = [time.strftime("%Y-%m-%dT%H:%MZ") for time in (start, end)]
    print(";".join([name, cron, *shown, " ".join(t.strftime("%Y-%m-%dT%H:%MZ") for t in instants)]))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


for name, changes in CHANGES.items():
    for change in map(utc, changes):
        for cron in OFTEN:
            line(name, cron, change - timedelta(hours=2), change + timedelta(hours=3))
        for cron in DAILY:
            line(name, cron, change - timedelta(days=1), change + timedelta(days=1, hours=12))
for name, cron, start, end in LONG:
    line(name, cron, utc(start), utc(end))
