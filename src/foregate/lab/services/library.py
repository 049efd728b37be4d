"""What search searches and the language model learned from: sentences about running services, written for this lab."""

SENTENCES = tuple(
    sentence.strip()
    for sentence in """
A queue grows slowly at first and then all at once.
The service was healthy until its pool ran out of connections.
A leak is a promise to fail at a time that can be computed.
Latency climbs before errors appear because waiting comes before giving up.
A retry is a second request that arrives when the first one already hurt.
Every cache is cold after a restart and every restart looks like an incident.
The ledger answers slowly when its locks are held by nobody in particular.
A timeout is a decision that somebody made on a quiet afternoon.
Quotas are spent by the job that nobody remembered to stop.
The database was not slow but the queue in front of it was long.
A graph that rises for ten minutes deserves a name and an owner.
Garbage collection takes longer when more of the heap is alive.
A circuit breaker gives a failing service the time to recover.
The crash came without warning and the warning came after the crash.
Capacity is what remains when the busiest minute of the week is over.
A deploy at noon explains the errors at one minute past noon.
Users do not see your averages but they feel your slowest requests.
The search index grew until its disk became the slowest part.
A payment that is captured twice costs more than one that fails.
Orders wait for payments and payments wait for the ledger.
When a dependency slows down its callers run out of threads.
A bounded queue refuses early and an unbounded one refuses late.
Back pressure is the art of saying no before it is too late.
The model answers one token at a time and each token has a price.
A stream that breaks after the first token cannot be repeated.
Load balancers forget that two healthy targets may share one sick disk.
The batch job runs at night and night is noon somewhere else.
A flash crowd is harmless if the capacity was bought before it came.
Healthy systems are noisy and noise is not a signal.
An alarm that rings every night is an alarm that nobody hears.
The best time to fix a leak is before the heap is full.
A partner sends its requests in bursts and calls them traffic.
Mobile clients give up early and try again from the train.
An index maps each word to the places where it occurs.
A search query reads every posting of every word it names.
The connection pool was small because the database was expensive.
Memory that is never returned is the slowest kind of failure.
A forecast without an interval is an opinion with decimals.
The error budget is spent in minutes and earned in weeks.
Tail latency is where the customers with large orders live.
A percentile of percentiles is not a percentile of anything.
The gateway sees every request and therefore sees failure first.
A brownout begins in one service and is reported by another.
The fastest request is the one that the cache has answered.
Two services that retry each other can keep each other busy for ever.
Traffic follows the sun and the sun follows no roadmap.
The process was restarted and the evidence was restarted with it.
A good explanation names the cause and the number that shows it.
Slow is the new down but nobody pages for slow.
A healthy minute is a minute in which nobody had to wait.
The quota is reset at the full hour and so is the hope.
Threads that wait look exactly like threads that work.
A promise to answer in one second is broken one request at a time.
The heap was full and the service still said that it was fine.
Rolling restarts hide leaks until the day nobody deploys.
An incident begins when it can be seen and not when it is seen.
Users search for orders and orders search for users.
Tokens stream to the reader while the next one is still a guess.
The embedding of a word is the company it keeps.
Failures travel along dependencies faster than messages about them.
""".strip().splitlines()
)
