# The table of the results (lines of test/bench/lib.sh). jq --slurp --raw-output --from-file report.jq, with
#   $bars   list of {case, text, metric, most or least, and subject, or over and under: the subjects of a ratio; beside_over
#           and beside_under: those of a ratio that it is divided by; limit: a subject that nobody can be faster than}
#   $show   "rows" (JSON for --json), "table", or "missed" (how many bars)
#
# Of each subject's runs the median and the 99th percentile (nearest rank: with fewer than 100 runs, the greatest). A ratio
# is the median of the rounds' ratios, with their quartiles: what disturbs the machine disturbs both sides of a round.

def rank($percent): sort | .[([(length * $percent / 100 | ceil) - 1, 0] | max)];
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rounded: if . >= 100 then (. * 10 | round) / 10 elif . >= 1 then (. * 100 | round) / 100 else (. * 10000 | round) / 10000 end;

def rows:
    group_by([.case, .subject, .metric]) | map(
        .[0] as $first | map(.value) as $values
        | {case: $first.case, subject: $first.subject, metric: $first.metric, unit: $first.unit,
           median: ($values | median | rounded), p99: ($values | rank(99) | rounded), runs: ($values | length), at: ($first | .at)})
    | sort_by(.at) | map(del(.at));

def values($case; $subject; $metric): map(select(.case == $case and .subject == $subject and .metric == $metric));

# By round, one figure over another.
def ratios($bar):
    (values($bar.case; $bar.over; $bar.metric) | map({key: (.round | tostring), value}) | from_entries) as $over
    | (values($bar.case; $bar.under; $bar.metric) | map({key: (.round | tostring), value}) | from_entries) as $under
    | [$over | keys[] | select($under[.]) | $over[.] / $under[.]];

# By round, how one subject's figure grows over how another's does.
def growths($bar):
    ratios($bar) as $own | ratios($bar + {over: $bar.beside_over, under: $bar.beside_under}) as $other
    | [range([$own, $other | length] | min)] | map($own[.] / $other[.]);

def judged:
    . as $results | $bars | map(. as $bar
        | (if .beside_over then ($results | growths($bar)) elif .over then ($results | ratios($bar)) else ($results | values($bar.case; $bar.subject; $bar.metric) | map(.value)) end)
            as $figures
        | .unit = ($results | map(select(.metric == $bar.metric))[0].unit)
        # A ratio's median counts; of what is to be below a limit each time, the greatest, unless the bar has a rank. No figure is no bar reached.
        | if $figures == [] then .reached = false | .value = "no figure" else
          .value = (if .over then $figures | median else $figures | rank($bar.rank // 100) end)
        | .low = ($figures | rank(25)) | .high = ($figures | rank(75))
        | if .limit then .at_the_limit = ($results | ratios($bar + {under: $bar.limit}) | median) else . end
        | .reached = (if .most then .value <= .most else .value >= .least end) end);

def padded($width): . + " " * ([$width - length, 0] | max);
def right($width): tostring | " " * ([$width - length, 0] | max) + .;

def row_line: "\(.case | padded(8))\(.subject | padded(40))\(.metric | padded(26))\(.median | right(10))\(.p99 | right(11)) \(.unit | padded(5))\(.runs | right(5))";

def bar_line:
    (if .value == "no figure" then .value elif .over then "\(.value | rounded) (\(.low | rounded) to \(.high | rounded))" else "\(.value | rounded) \(.unit)" end) as $figure
    | (if .most then "at most \(.most)" else "at least \(.least)" end) as $limit
    | (if .at_the_limit then "; \(.limit): \(.at_the_limit | rounded)" else "" end) as $possible
    | "\(if .reached then "ok" else "MISSED" end | padded(8))\(.text | padded(78))\($limit | right(14))  \($figure)\($possible)";

[to_entries[] | .value + {at: .key}]
| if $show == "rows" then rows
  elif $show == "missed" then judged | map(select(.reached | not)) | length
  else
    ("\("case" | padded(8))\("subject" | padded(40))\("metric" | padded(26))\("median" | right(10))\("p99" | right(11)) \("unit" | padded(5))\("runs" | right(5))",
     (rows[] | row_line),
     (if $bars | length > 0 then "", (judged[] | bar_line) else empty end))
  end
