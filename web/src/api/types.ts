// Made by web/tools/generate_types.py from /api/v1/openapi.json. Do not edit; run `npm run generate`.

/** What detection sees of all clients together. `visitors`: different addresses in this hour so far, `visitors_before` in the one before, 95 % within the share `visitors_error`. The top ones cover the last five to ten minutes, each too high by at most `requests_error`. */
export type AbuseOut = {
  now_s: number;
  time_s: number;
  mode: "off" | "observe" | "block";
  events: number;
  skipped: number;
  clients: number;
  visitors: number;
  visitors_before: number;
  visitors_error: number;
  top_addresses: AskingOut[];
  top_keys: AskingOut[];
  requests_error: number;
  growth: number;
  spared: number;
};

/** Items since ever. received = accepted + duplicate + invalid + shed + late + lost + waiting + missing. `waiting`: on the bus, and not yet in a store. `missing`: what the sums do not explain; not 0 for longer than a minute, and somebody has to look. */
export type AccountOut = {
  kind: "events" | "spans" | "logs" | "points";
  received: number;
  accepted: number;
  duplicate: number;
  invalid: number;
  shed: number;
  late: number;
  lost: number;
  waiting: number;
  missing: number;
};

export type Accounts = {
  accounts: AccountOut[];
};

/** One fault that is on, switched `by` the demo's script or a person. `severity` from 0 (slow) to 1 (quick). */
export type ActiveFault = {
  id: string;
  kind: string;
  service: string;
  severity: number;
  started_s: number;
  ends_s: number;
  by: string;
};

/** One announced failure. `lead_s` is how long before the first failing minute it was raised. Of kind "burn_rate" it is an error budget that is spent too fast: scores and `threshold` are then burn rates, `horizon_s` is the window of the rule, `objective` says which one, and `outcome` is "measured". */
export type AlertOut = {
  id: string;
  entity: EntityOut;
  state: "open" | "closed";
  outcome: "pending" | "failed" | "no_failure" | "measured";
  raised_s: number;
  updated_s: number;
  closed_s: number | null;
  failed_s: number | null;
  lead_s: number | null;
  score: number;
  peak_score: number;
  threshold: number;
  horizon_s: number;
  model_version: string;
  title: string;
  reasons: string[];
  kind: "risk" | "burn_rate";
  severity: "page" | "ticket";
  objective: string;
};

/** One page, newest first. `next_cursor` gets the next page; null on the last one. */
export type Alerts = {
  now_s: number;
  alerts: AlertOut[];
  next_cursor: string | null;
};

export type Anomalies = {
  now_s: number;
  anomalies: AnomalyOut[];
};

/** `z` is the robust z-score of its worst moment, `expected` the route's own median; `ended_s` null while on. */
export type AnomalyOut = {
  id: string;
  entity: EntityOut;
  metric: "p95_ms" | "error_rate" | "rps";
  started_s: number;
  updated_s: number;
  ended_s: number | null;
  value: number;
  expected: number;
  z: number;
  sentence: string;
};

/** Requests of `org` (this console's; `*`: of all) from `from` until `until` (now), or of the `range` before it. Times are Unix seconds or RFC 3339, durations like `15m`. `step`: `auto`, `0` for one number over the whole range, or a duration. `compare`: `previous` for the range before this one, or how much earlier it begins, like `7d`. */
export type AskIn = {
  org?: string | null;
  range?: string;
  from?: string | number | null;
  until?: string | number | null;
  step?: string | number;
  measures?: ("requests" | "rps" | "errors" | "error_rate" | "timeouts" | "client_errors" | "limited" | "broken" | "retries" | "request_bytes" | "response_bytes" | "mean_ms" | "p50_ms" | "p90_ms" | "p95_ms" | "p99_ms" | "p999_ms" | "max_ms" | "upstream_mean_ms" | "clients" | "keys")[];
  group_by?: ("org" | "service" | "route" | "environment" | "status_class" | "method" | "status" | "key_id" | "client" | "host" | "path" | "region" | "cloud" | "instance" | "source" | "error" | "cache" | "protocol" | "target" | "trace_id" | "request_id")[];
  filters?: FilterIn[];
  order?: "requests" | "rps" | "errors" | "error_rate" | "timeouts" | "client_errors" | "limited" | "broken" | "retries" | "request_bytes" | "response_bytes" | "mean_ms" | "p50_ms" | "p90_ms" | "p95_ms" | "p99_ms" | "p999_ms" | "max_ms" | "upstream_mean_ms" | "clients" | "keys";
  top?: number;
  compare?: string | null;
};

/** Somebody who asks much; never too few. */
export type AskingOut = {
  subject: string;
  requests: number;
};

/** What an operator has done. */
export type AuditLineOut = {
  time_s: number;
  action: "block" | "undo" | "resume";
  subject: string;
  block_id: string;
  by: string;
  note: string;
};

/** How a model did on the series' own past. `mase` below 1: better than seasonal naive within the past. `held80` and `held95`: the share of values that lay in its intervals; null where that could not be measured. */
export type BacktestOut = {
  model: string;
  mase: number | null;
  mae: number;
  pinball: number;
  held80: number | null;
  held95: number | null;
};

/** Block an address, or a key by its id (`key:…`), for so long. */
export type BlockCommand = {
  subject: string;
  for_s?: number;
  note?: string;
};

/** `subject` is blocked until `until_s`; with the effect `observe` it only would be. `by` is empty for detection. `times`: how often within a day. `ended_s`: when somebody ended it before its time, null while nobody has. */
export type BlockOut = {
  id: string;
  subject: string;
  rule: string;
  reason: string;
  effect: "block" | "observe";
  times: number;
  since_s: number;
  made_s: number;
  until_s: number;
  in_force: boolean;
  by: string;
  ended_s: number | null;
  ended_by: string;
};

/** The newest first. */
export type Blocks = {
  now_s: number;
  blocks: BlockOut[];
  audit: AuditLineOut[];
};

/** When the budget of `kind` is spent by the forecast of the next week: Unix seconds, null where not within it. `soonest_s` to `latest_s` is the interval of 80 %. */
export type BrokenOut = {
  kind: string;
  made_s: number;
  until_s: number;
  median_s: number | null;
  soonest_s: number | null;
  latest_s: number | null;
};

/** The error budget of one objective, in requests. `left` is a share: 1 untouched, negative overspent. `broken_in_s`: when it is spent if bad requests go on as in the last hour; 0 when it is, null when it will not be. */
export type BudgetOut = {
  kind: "availability" | "latency";
  target: number;
  requests: number;
  bad: number;
  allowed: number;
  left: number;
  burn: BurnRateOut[];
  broken_in_s: number | null;
};

/** How many times faster than sustainable the budget was spent in the last `window_s`; null without requests. */
export type BurnRateOut = {
  window_s: number;
  rate: number | null;
  requests: number;
  bad: number;
};

/** Bytes and answers at present; the other numbers count. Memory is that of all workers, the disk they share. */
export type CacheOut = {
  memory_bytes: number;
  memory_bytes_max: number;
  memory_objects: number;
  memory_evicted: number;
  disk_bytes: number;
  disk_bytes_max: number;
  disk_objects: number;
  disk_evicted: number;
  disk_damaged: number;
  not_stored: number;
  purges: number;
};

/** Those of the configuration in force. */
export type Canaries = {
  now_s: number;
  canaries: CanaryOut[];
};

/** `canary` gets `weight` percent of the requests that `route` gives to `service`, unless it is `rolled_back`. `since_s` and `reason`: when and why that was; null and "" where it was not. */
export type CanaryOut = {
  route: string;
  service: string;
  canary: string;
  weight: number;
  rolled_back: boolean;
  since_s: number | null;
  reason: string;
};

/** Another model began to serve. `by`: learning, cli or console. */
export type ChangeOut = {
  at_s: number;
  version: string;
  before: string;
  by: string;
  reason: string;
};

/** `version` is the one that the workers are to serve by; `settled`: all of them do. */
export type ConfigOut = {
  version: string;
  settled: boolean;
  workers: WorkerVersion[];
  last_attempt: ReloadOut | null;
};

/** One feature's exact SHAP share of the score, in log-odds (positive raises the risk). */
export type ContributionOut = {
  feature: string;
  value: number;
  shap: number;
  sentence: string;
};

/** There is a new version of this service from now on. `environment`: the gateway's own where nothing is said. */
export type DeploymentCommand = {
  service: string;
  version?: string;
  environment?: string;
  note?: string;
};

/** A change. `kind`: `deployment` was said by somebody, `targets` (addresses of a service) and `configuration` (all else) were found in a new configuration. `services` and `routes`: of whom; both empty: of all. */
export type DeploymentOut = {
  id: string;
  time_s: number;
  kind: "deployment" | "targets" | "configuration";
  environment: string;
  services: string[];
  routes: string[];
  version: string;
  by: string;
  note: string;
};

/** The newest first. */
export type Deployments = {
  now_s: number;
  deployments: DeploymentOut[];
};

/** Bytes. `low` and `critical` are warnings; `full`: telemetry is refused and not stored until there is more. */
export type DiskOut = {
  level: "ok" | "low" | "critical" | "full";
  free_bytes: number;
  total_bytes: number;
};

/** The same of the range before: `change` is how much larger it is now, as a share (0.1: by a tenth). */
export type EarlierOut = {
  whole: Record<string, number | number | null>;
  values: Record<string, (number | number | null)[]>;
  change: Record<string, number | number | null>;
};

/** Calls of `caller` ("": from outside) to `callee` (environment "": it does not report itself). Durations are the caller's where its span is there; quantiles within 1 %. */
export type EdgeOut = {
  caller: string;
  caller_environment: string;
  callee: string;
  callee_environment: string;
  requests: number;
  errors: number;
  rps: number;
  error_rate: number;
  mean_ms: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
};

/** The watched thing: one route of one service. */
export type EntityOut = {
  service: string;
  route: string;
  environment: string;
};

/** One finished request as the client saw it; durations in ms, sizes in bytes of body. */
export type EventOut = {
  time_s: number;
  entity: EntityOut;
  method: string;
  status: number;
  latency_ms: number;
  upstream_ms: number;
  first_byte_ms: number;
  request_bytes: number;
  response_bytes: number;
  key_id: string;
  request_id: string;
  trace_id: string;
  attempts: number;
  limit: "none" | "allowed" | "refused";
  breaker: "none" | "closed" | "half_open" | "open";
  cache: "none" | "hit" | "miss" | "bypass" | "stale" | "revalidated";
  error: string;
  target: string;
};

/** `skipped` counts what a live tail left out because more came than it shows. */
export type Events = {
  now_s: number;
  events: EventOut[];
  skipped: number;
};

/** Switch a fault on. Without a severity or a duration the kind's usual one is taken. */
export type FaultCommand = {
  kind: string;
  service: string;
  severity?: number | null;
  duration_s?: number | null;
};

/** One kind of fault. `foreseeable`: it gives signs before requests fail; `benign`: it only looks like a fault. */
export type FaultKind = {
  kind: string;
  title: string;
  description: string;
  gradual: boolean;
  foreseeable: boolean;
  benign: boolean;
  services: string[];
};

/** `values`: one, or several for `in` and `not_in`. */
export type FilterIn = {
  field: string;
  op?: "eq" | "ne" | "in" | "not_in" | "prefix" | "contains" | "lt" | "le" | "gt" | "ge";
  values: string[];
};

/** One metric in steps of `step_s`: requests per step, `p95_ms`, the share of the error budget or of the quota that a step spends, cost per step. `model` is the one that did best of `backtest`, over `origins` moments of the past. Of all routes together service and route are "". `note` says what it lacks; `stale`: none was made lately. */
export type ForecastOut = {
  entity: EntityOut;
  metric: "requests" | "p95_ms" | "error_budget" | "quota" | "cost";
  step_s: number;
  state: "learning" | "forecast" | "constant" | "silent";
  made_s: number;
  stale: boolean;
  model: string;
  points: ForecastPointOut[];
  backtest: BacktestOut[];
  origins: number;
  days_seen: number;
  days_needed: number;
  note: string;
  runs_out: RunsOutOut | null;
};

/** The step that begins at `t`: the median, and the intervals that hold it in 80 and in 95 of 100 cases. */
export type ForecastPointOut = {
  t: number;
  median: number;
  low80: number;
  high80: number;
  low95: number;
  high95: number;
};

/** Those of the busiest routes. Each metric by the quarter of an hour for a day, and by the hour for a week. */
export type Forecasts = {
  now_s: number;
  forecasts: ForecastOut[];
};

/** The probability of a failure within `horizon_s`, and the score from which an alert would be raised for it. */
export type HorizonOut = {
  horizon_s: number;
  score: number;
  threshold: number;
};

/** One page, newest first. `next_cursor` gets the next page; null on the last one. A page may be short before it. */
export type JourneyList = {
  now_s: number;
  journeys: JourneySummary[];
  next_cursor: string | null;
};

/** A journey whole. `logs`: where its log records are. `cycles`: links between spans that could not be. */
export type JourneyOut = {
  summary: JourneySummary;
  rows: SpanRow[];
  critical_path: PathPiece[];
  breakdown: TimeSpent[];
  missing_parents: number;
  roots: number;
  duplicates: number;
  cycles: number;
  logs: string;
};

/** A kept journey. `reason`: why it was kept. `truncated`: spans that were cut. `skew_ms`: the largest correction of a clock. Service, environment, route, method and status are those of its first span. */
export type JourneySummary = {
  trace_id: string;
  start_s: number;
  duration_ms: number;
  service: string;
  environment: string;
  route: string;
  name: string;
  method: string;
  status: number;
  failed: boolean;
  spans: number;
  reason: "error" | "slow" | "rare" | "share";
  truncated: number;
  skew_ms: number;
  request_id: string;
  participants: Participant[];
};

/** The catalogue, what is on now, and what comes next, soonest first. */
export type LabFaults = {
  kinds: FaultKind[];
  active: ActiveFault[];
  schedule: ScheduledFault[];
};

/** The last attempt to learn. `sentence`: what came of it, e.g. "learning: 3 of 14 days, 2 of 20 failures". */
export type LearningOut = {
  at_s: number;
  outcome: "learning" | "promoted" | "refused" | "failed";
  sentence: string;
  days: number;
  failures: number;
  apis: number;
  version: string;
  took_s: number;
};

/** One page, newest first. `next_cursor` gets the next page; null on the last one. */
export type LogList = {
  now_s: number;
  logs: LogOut[];
  next_cursor: string | null;
};

/** One record. `severity`: 1 to 24 as in OpenTelemetry (9 info, 13 warning, 17 error), 0 where nobody said. `journey`: where the journey is that it belongs to, if that is kept; null without a trace. */
export type LogOut = {
  time_s: number;
  severity: number;
  service: string;
  environment: string;
  region: string;
  cloud: string;
  instance: string;
  body: string;
  trace_id: string;
  span_id: string;
  request_id: string;
  key_id: string;
  attributes: Record<string, string>;
  journey: string | null;
};

/** A link that signs one browser in. */
export type LoginLink = {
  url: string;
  expires_in_s: number;
};

/** `points`: how many were looked at. */
export type MetricOut = {
  name: string;
  kind: "gauge" | "sum" | "histogram" | "summary";
  unit: string;
  points: number;
};

/** `values[i]` is of the step that begins at `starts_s[i]`: of a gauge the last value; of a sum that only rises how much it rose per second (a counter that begins anew counts from 0); of another sum its last value, of deltas their sum; of a histogram or summary the mean of the values in it. */
export type MetricSeriesOut = {
  service: string;
  environment: string;
  instance: string;
  attributes: Record<string, string>;
  starts_s: number[];
  values: number[];
};

/** `total` merges all series per window, `summary` merges everything: sketches are merged, quantiles never averaged. `summary` covers the whole range; in the live stream it covers the last minute. */
export type Metrics = {
  now_s: number;
  from_s: number;
  span_s: number;
  series: Series[];
  total: Point[];
  summary: Point;
};

/** `card` is the file that lies beside the model: data, seeds, results and baselines, command to reproduce. */
export type ModelCard = {
  version: string;
  threshold: number;
  card: Record<string, unknown>;
};

/** `from_s` to `until_s`: the traffic it learned from and was judged on. `reason`: why it was better, or was not. */
export type ModelOut = {
  version: string;
  state: "serving" | "withdrawn" | "refused" | "kept";
  made_s: number;
  from_s: number;
  until_s: number;
  reason: string;
};

/** `fixed`: the file of `predict.model_path`, which then judges everybody; null without one. */
export type Models = {
  now_s: number;
  fixed: string | null;
  orgs: OrgModelsOut[];
};

/** What is promised over `period_days`: a share of requests that do not fail (`availability`), a share (`latency_share`) that is answered within `latency_ms`, or both. */
export type ObjectiveOut = {
  availability: number | null;
  latency_ms: number | null;
  latency_share: number;
  period_days: number;
  requests_min: number;
  errors_min: number;
};

/** One route's objective. `stale`: nobody has looked lately; `note` says what of the period is not known. `forecast`: null where none could be made. */
export type ObjectiveStateOut = {
  entity: EntityOut;
  time_s: number;
  stale: boolean;
  objective: ObjectiveOut;
  budgets: BudgetOut[];
  days_seen: number;
  note: string;
  forecast: BrokenOut | null;
};

/** The most spent first. */
export type Objectives = {
  now_s: number;
  objectives: ObjectiveStateOut[];
};

/** `serving`: who is to serve since when, "bundled" for the prior model. `judged_by`: who really does, "off" for nobody, null where nothing was judged yet; `note`: why that is another one, or what could not be read. */
export type OrgModelsOut = {
  org: string;
  serving: string;
  since_s: number;
  judged_by: string | null;
  note: string;
  models: ModelOut[];
  changes: ChangeOut[];
  learning: LearningOut | null;
  shift: ShiftOut | null;
};

/** `card` is the file that lies beside the model. */
export type OwnCardOut = {
  version: string;
  card: Record<string, unknown>;
};

/** `environment` is "" for whoever was asked and never reported itself. */
export type Participant = {
  service: string;
  environment: string;
};

/** A piece of the critical path: nothing but this span kept the journey from ending earlier. */
export type PathPiece = {
  span_id: string;
  offset_ms: number;
  duration_ms: number;
};

/** One window. Rates are shares from 0 to 1; quantiles in ms from a mergeable sketch (1 % relative error). `rps` of the window that is still open counts only the time it has been open. `complete` tells it apart. */
export type Point = {
  t: number;
  requests: number;
  rps: number;
  error_rate: number;
  timeout_rate: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
  errors: number;
  timeouts: number;
  client_errors: number;
  limited: number;
  broken: number;
  retries: number;
  inflight_max: number;
  complete: boolean;
};

/** Without a `name` the metrics there are, else the series of that one. */
export type PointsOut = {
  now_s: number;
  from_s: number;
  until_s: number;
  step_s: number;
  metrics: MetricOut[];
  series: MetricSeriesOut[];
};

/** RFC 9457 problem details; each `code` has a page in docs/errors. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  code: string;
  request_id: string;
  retryable: boolean;
  detail: string | null;
};

export type ProcessOut = {
  name: string;
  role: string;
  state: "running" | "starting" | "restarting" | "stopped";
  pid: number | null;
  since_s: number | null;
  restarts: number;
};

/** Exactly one of `url`, `prefix` and `tag`. A URL may begin with its host; without one it is meant on every host. `org`: only what this organisation was given; without it all of them, and what is public. */
export type PurgeCommand = {
  url?: string | null;
  prefix?: string | null;
  tag?: string | null;
  org?: string | null;
};

/** What is purged now, in every worker and on the disk. */
export type PurgeOut = {
  kind: "url" | "prefix" | "tag";
  pattern: string;
  org: string | null;
};

/** `from_s` is where it really begins: the beginning of a window. `until_s`: what is newer is not in yet. `starts_s[i]` begins the step of `values[…][i]`. `left_out`: groups beyond `top`. `from_windows`: quantiles within 1 %; else exact, from the single events. `approximate`: measures that are estimated. `read`: windows or events. */
export type QueryOut = {
  now_s: number;
  org: string;
  from_s: number;
  until_s: number;
  step_s: number;
  earlier_s: number | null;
  starts_s: number[];
  series: SeriesOut[];
  left_out: number;
  from_windows: boolean;
  approximate: string[];
  read: number;
  took_ms: number;
};

/** The last attempt to read the configuration. `later`: keys whose change waits for a restart. */
export type ReloadOut = {
  outcome: "started" | "applied" | "unchanged" | "refused";
  at_s: number;
  by: "start" | "file" | "signal";
  problems: string[];
  later: string[];
  took_ms: number;
};

/** Each with the fields of a request event; newest first. `cursor` asks for the next page; "" at the end. The first page has also what came a moment ago, and may so be a little longer than `limit`. */
export type RequestsOut = {
  now_s: number;
  from_s: number;
  until_s: number;
  requests: Record<string, unknown>[];
  cursor: string;
};

/** Give the canary of this route its share again. */
export type ResumeCommand = {
  route: string;
  note?: string;
};

export type RiskHistory = {
  now_s: number;
  from_s: number;
  threshold: number;
  series: RiskSeries[];
};

/** The newest verdict on one route. `score` is the probability of a failure within `horizon_s`, null without one. `stale` is true when the verdict is older than `stale_after_s`: the predictor is silent, not the route healthy. `horizons`: the same question for a shorter and a longer time. `baselines`: what simple rules say, each by its name and in its own unit, to hold beside the score. `note`: what the verdict lacks, in words; "" for nothing. */
export type RiskOut = {
  entity: EntityOut;
  state: "learning" | "scored" | "failing" | "quiet";
  score: number | null;
  stale: boolean;
  time_s: number;
  stale_after_s: number;
  horizon_s: number;
  model_version: string;
  minutes_seen: number;
  minutes_needed: number;
  contributions: ContributionOut[];
  horizons: HorizonOut[];
  baselines: Record<string, number>;
  note: string;
};

export type RiskPoint = {
  t: number;
  score: number | null;
  state: "learning" | "scored" | "failing" | "quiet";
};

export type RiskSeries = {
  entity: EntityOut;
  points: RiskPoint[];
};

/** `threshold` is the score above which an alert is raised, unless a risk's own `horizons` say another. `model_version` is "" before any verdict, and "off" where no model could be loaded. */
export type Risks = {
  now_s: number;
  threshold: number;
  model_version: string;
  risks: RiskOut[];
};

/** Let `version`, or what served before, serve this organisation again; "bundled" for the prior model. */
export type RollbackCommand = {
  org: string;
  version?: string | null;
  note?: string;
};

export type RouteOut = {
  path: string;
  strip: boolean;
  needs_key: boolean;
  rate_per_s: number | null;
  burst: number | null;
};

/** When the error budget of `kind`, or the route's scarcest quota, is spent by this forecast: Unix seconds, null where not within it, or not before the quota is given anew. `soonest_s` to `latest_s`: the interval of 80 %. */
export type RunsOutOut = {
  kind: string;
  median_s: number | null;
  soonest_s: number | null;
  latest_s: number | null;
};

/** One fault that the demo's script will switch on. */
export type ScheduledFault = {
  kind: string;
  service: string;
  severity: number;
  starts_s: number;
  duration_s: number;
};

export type Series = {
  entity: EntityOut;
  points: Point[];
};

/** `whole`: each measure over the whole range; `values`: by step, None where nothing was. `earlier`: None where the group had no traffic, or nothing is compared. */
export type SeriesOut = {
  group: Record<string, string>;
  whole: Record<string, number | number | null>;
  values: Record<string, (number | number | null)[]>;
  earlier: EarlierOut | null;
};

/** Every call between services, also of journeys that were not kept, in whole minutes. The most frequent first. */
export type ServiceMap = {
  now_s: number;
  from_s: number;
  until_s: number;
  edges: EdgeOut[];
};

export type ServiceOut = {
  name: string;
  timeout_s: number;
  breaker_failures: number;
  breaker_open_s: number;
  retry_attempts: number;
  targets: TargetOut[];
  routes: RouteOut[];
};

/** The configuration in force. Keys are counted, never shown. */
export type Services = {
  version: string;
  environment: string;
  gateway_url: string;
  keys: number;
  services: ServiceOut[];
};

/** Who serves now. */
export type ServingOut = {
  org: string;
  version: string;
  since_s: number;
};

/** Whether the model still fits the traffic that it judges, and on what grounds. */
export type ShiftOut = {
  at_s: number;
  version: string;
  state: "unknown" | "fits" | "drifting" | "no longer fits";
  sentences: string[];
  rows: number;
};

/** A span in the waterfall, parents first: `depth` levels in, `offset_ms` after the beginning. `self_ms`: in no child of it. `critical_ms`: on the critical path. `skew_ms`: how much earlier it is shown than its own clock said. `missing_parent`: the span that asked was never seen. */
export type SpanRow = {
  span_id: string;
  parent_id: string;
  depth: number;
  service: string;
  environment: string;
  region: string;
  cloud: string;
  instance: string;
  source: string;
  name: string;
  kind: "internal" | "server" | "client" | "producer" | "consumer";
  offset_ms: number;
  duration_ms: number;
  self_ms: number;
  critical_ms: number;
  failed: boolean;
  message: string;
  status: number;
  peer: string;
  skew_ms: number;
  missing_parent: boolean;
  attributes: Record<string, string>;
  links: string[];
};

/** `windows_age_s` and `judgement_age_s`: seconds since the newest window began and since the newest verdict. Null means that there is none within the last 15 minutes. `accounts` counts every telemetry item by outcome. */
export type Status = {
  now_s: number;
  version: string;
  environment: string;
  configuration: string;
  model_version: string;
  threshold: number;
  has_lab: boolean;
  processes: ProcessOut[];
  lag_events: number | null;
  windows_age_s: number | null;
  judgement_age_s: number | null;
  judgement_stale: boolean;
  accounts: Record<string, number>;
  disk: DiskOut | null;
};

/** One upstream address. `breaker` is null when its state is not known here. */
export type TargetOut = {
  url: string;
  breaker: "closed" | "half_open" | "open" | null;
};

/** Where time went: in a `service`, on the `network` to it, or at an `external` peer. Together the whole journey. */
export type TimeSpent = {
  kind: string;
  service: string;
  environment: string;
  duration_ms: number;
  share: number;
};

/** The dearest thousand; hours in their order. Whole hours: the first one may have begun before `from_s`. */
export type UsageOut = {
  now_s: number;
  from_s: number;
  by: "key" | "model" | "service" | "hour";
  used: UsedOut[];
  total: UsedOut;
};

/** `name`: of the key, `service/model`, the service, or the hour's beginning in Unix seconds. `estimated` of the requests have tokens that foregate has counted itself. `cost` is at the configured prices. */
export type UsedOut = {
  name: string;
  requests: number;
  estimated: number;
  input_tokens: number;
  output_tokens: number;
  cached_tokens: number;
  cost: number;
};

/** `version` is null before the worker has served. */
export type WorkerVersion = {
  worker: string;
  version: string | null;
};
