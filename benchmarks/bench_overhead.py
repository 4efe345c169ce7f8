"""What the platform adds to a trial: wall time minus compute, cold (the first trial of a worker) and warm.

    python benchmarks/bench_overhead.py RESULTS

Reads the trials of results that exist, such as those of `make demo`: compute is unlearning, evaluation and attack; a
cold trial also loads its cell.
"""

import sys

from lethe.results import query
from lethe.results.render import render

SQL = """
with timed as (
    select *, seconds_total - seconds_unlearn - seconds_evaluate - seconds_attack as overhead,
           lag(ended_at) over (partition by worker order by started_at) as free_at,
           row_number() over (partition by worker order by started_at) = 1 as first
    from trials where status = 'done' and copied_from is null)
select study, case when first then 'cold' else 'warm' end as worker, count(*) as trials,
       median(seconds_total - overhead) as compute_s, median(overhead) as overhead_s,
       median(epoch(started_at) - epoch(free_at)) as wait_between_trials_s
from timed group by all order by all
"""

if __name__ == "__main__":
    print(render(query(SQL, sys.argv[1]), "table"))
