// Numbers, times and names as the reader's language writes them.

const NONE = "–";
const DAY_S = 86_400;
const NAMES = { api: "API", discord: "Discord", slack: "Slack", web: "Playground" };

export class Words {
  constructor(language) {
    this.language = language;
    this.numbers = new Intl.NumberFormat(language);
    this.shares = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
    this.days = new Intl.DateTimeFormat(language, { day: "numeric", month: language === "ja" ? "numeric" : "short", timeZone: "UTC" });
    this.times = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    this.moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  }

  number(value) {
    return this.numbers.format(value);
  }

  /** 0.25 → 25 %. */
  share(value) {
    return value == null ? NONE : this.shares.format(value);
  }

  seconds(value) {
    if (value == null) return NONE;
    const digits = value < 10 ? 2 : 0;
    return new Intl.NumberFormat(this.language, { style: "unit", unit: "second", unitDisplay: "narrow", maximumFractionDigits: digits }).format(value);
  }

  bytes(value) {
    if (value == null) return NONE;
    const [unit, size] = value >= 1e12 ? ["terabyte", 1e12] : value >= 1e9 ? ["gigabyte", 1e9] : ["megabyte", 1e6];
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(value / size);
  }

  /** In its largest unit: 5 minutes, 2 hours, 3 days. */
  duration(seconds) {
    const [unit, size] = seconds >= 2 * DAY_S ? ["day", DAY_S] : seconds >= 7200 ? ["hour", 3600] : seconds >= 120 ? ["minute", 60] : ["second", 1];
    const count = Math.max(0, Math.floor(seconds / size));
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "long" }).format(count);
  }

  /** The dates of the last days, today's (UTC) last, as the usage has them. */
  lastDays(now, count) {
    return Array.from({ length: count }, (_, at) => new Date((now - (count - 1 - at) * DAY_S) * 1000).toISOString().slice(0, 10));
  }

  day(date) {
    return this.days.format(new Date(`${date}T00:00:00Z`));
  }

  time(at) {
    return this.times.format(new Date(at * 1000));
  }

  moment(at) {
    return this.moments.format(new Date(at * 1000));
  }

  platform(name) {
    return NAMES[name] ?? name;
  }
}
