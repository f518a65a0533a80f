CREATE TABLE api_tokens (
	id VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	role VARCHAR NOT NULL,
	streams JSON,
	sha256 VARCHAR NOT NULL,
	created_at DATETIME NOT NULL,
	created_by VARCHAR,
	expires_at DATETIME,
	revoked_at DATETIME,
	PRIMARY KEY (id)
);
CREATE TABLE audit (
	id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	who VARCHAR NOT NULL,
	what VARCHAR NOT NULL,
	about VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE build_stages (
	uid VARCHAR NOT NULL,
	build VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	started_at DATETIME,
	finished_at DATETIME,
	result VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (uid)
);
CREATE TABLE builds (
	id VARCHAR NOT NULL,
	job VARCHAR NOT NULL,
	repository VARCHAR,
	sha VARCHAR,
	branch VARCHAR,
	queued_at DATETIME,
	started_at DATETIME NOT NULL,
	finished_at DATETIME,
	result VARCHAR,
	url VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE comments (
	uid VARCHAR NOT NULL,
	repository VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	at DATETIME NOT NULL,
	author VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (uid)
);
CREATE TABLE commits (
	repository VARCHAR NOT NULL,
	sha VARCHAR NOT NULL,
	authored_at DATETIME NOT NULL,
	committed_at DATETIME NOT NULL,
	author VARCHAR,
	subject VARCHAR,
	message VARCHAR,
	parents VARCHAR,
	paths VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (repository, sha)
);
CREATE TABLE cursors (
	source VARCHAR NOT NULL,
	resource VARCHAR NOT NULL,
	scope VARCHAR NOT NULL,
	state JSON NOT NULL,
	watermark DATETIME,
	etag VARCHAR,
	pending JSON,
	blocked_until DATETIME,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (source, resource, scope)
);
CREATE TABLE deployment_commits (
	deployment VARCHAR NOT NULL,
	repository VARCHAR NOT NULL,
	sha VARCHAR NOT NULL,
	origin VARCHAR,
	PRIMARY KEY (deployment, repository, sha)
);
CREATE TABLE deployments (
	id VARCHAR NOT NULL,
	application VARCHAR NOT NULL,
	environment VARCHAR NOT NULL,
	repository VARCHAR,
	sha VARCHAR,
	ref VARCHAR,
	started_at DATETIME,
	finished_at DATETIME,
	result VARCHAR NOT NULL,
	url VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE experiments (
	id INTEGER NOT NULL,
	stream VARCHAR,
	title VARCHAR NOT NULL,
	hypothesis VARCHAR NOT NULL,
	metric VARCHAR NOT NULL,
	started_at DATETIME NOT NULL,
	ended_at DATETIME,
	verdict VARCHAR,
	created_at DATETIME NOT NULL,
	created_by VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE future_states (
	id INTEGER NOT NULL,
	stream VARCHAR,
	name VARCHAR NOT NULL,
	map JSON NOT NULL,
	target_at DATETIME,
	created_at DATETIME NOT NULL,
	created_by VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE hand_steps (
	id INTEGER NOT NULL,
	stream VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	behind VARCHAR,
	wait_hours FLOAT NOT NULL,
	work_hours FLOAT NOT NULL,
	accurate FLOAT,
	created_at DATETIME NOT NULL,
	created_by VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE harvests (
	id INTEGER NOT NULL,
	source VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	started_at DATETIME NOT NULL,
	finished_at DATETIME,
	status VARCHAR NOT NULL,
	rows INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	requests INTEGER NOT NULL,
	scope VARCHAR,
	error VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE identities (
	source VARCHAR NOT NULL,
	handle VARCHAR NOT NULL,
	person VARCHAR NOT NULL,
	origin VARCHAR,
	PRIMARY KEY (source, handle)
);
CREATE TABLE incidents (
	id VARCHAR NOT NULL,
	application VARCHAR,
	title VARCHAR,
	severity VARCHAR,
	opened_at DATETIME NOT NULL,
	detected_at DATETIME,
	acknowledged_at DATETIME,
	resolved_at DATETIME,
	deployment VARCHAR,
	ticket VARCHAR,
	labels VARCHAR,
	url VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE notes (
	id INTEGER NOT NULL,
	stream VARCHAR,
	at DATETIME NOT NULL,
	until DATETIME,
	kind VARCHAR NOT NULL,
	text VARCHAR NOT NULL,
	created_at DATETIME NOT NULL,
	created_by VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE pull_request_commits (
	repository VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	sha VARCHAR NOT NULL,
	authored_at DATETIME,
	origin VARCHAR,
	PRIMARY KEY (repository, number, sha)
);
CREATE TABLE pull_requests (
	repository VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	title VARCHAR,
	author VARCHAR,
	source_branch VARCHAR,
	target_branch VARCHAR,
	created_at DATETIME,
	ready_at DATETIME,
	first_commit_at DATETIME,
	first_review_at DATETIME,
	approved_at DATETIME,
	merged_at DATETIME,
	closed_at DATETIME,
	merge_sha VARCHAR,
	head_sha VARCHAR,
	labels VARCHAR,
	additions INTEGER,
	deletions INTEGER,
	url VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (repository, number)
);
CREATE TABLE raw_records (
	id INTEGER NOT NULL,
	source VARCHAR NOT NULL,
	resource VARCHAR NOT NULL,
	scope VARCHAR NOT NULL,
	external_id VARCHAR NOT NULL,
	payload BLOB NOT NULL,
	sha256 VARCHAR NOT NULL,
	first_seen DATETIME NOT NULL,
	last_seen DATETIME NOT NULL,
	harvest INTEGER,
	deleted_at DATETIME,
	PRIMARY KEY (id),
	UNIQUE (source, resource, scope, external_id)
);
CREATE TABLE repositories (
	name VARCHAR NOT NULL,
	url VARCHAR,
	default_branch VARCHAR,
	application VARCHAR,
	head_sha VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (name)
);
CREATE TABLE reviews (
	uid VARCHAR NOT NULL,
	repository VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	submitted_at DATETIME NOT NULL,
	reviewer VARCHAR,
	state VARCHAR NOT NULL,
	origin VARCHAR,
	PRIMARY KEY (uid)
);
CREATE TABLE tags (
	repository VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	sha VARCHAR NOT NULL,
	tagged_at DATETIME,
	subject VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (repository, name)
);
CREATE TABLE ticket_changes (
	uid VARCHAR NOT NULL,
	ticket VARCHAR NOT NULL,
	at DATETIME NOT NULL,
	field VARCHAR NOT NULL,
	"to" VARCHAR,
	"from" VARCHAR,
	actor VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (uid)
);
CREATE TABLE ticket_links (
	ticket VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	other VARCHAR NOT NULL,
	origin VARCHAR,
	PRIMARY KEY (ticket, kind, other)
);
CREATE TABLE tickets (
	"key" VARCHAR NOT NULL,
	title VARCHAR,
	type VARCHAR,
	status VARCHAR,
	created_at DATETIME NOT NULL,
	resolved_at DATETIME,
	resolution VARCHAR,
	project VARCHAR,
	team VARCHAR,
	priority VARCHAR,
	parent VARCHAR,
	labels VARCHAR,
	application VARCHAR,
	url VARCHAR,
	origin VARCHAR,
	PRIMARY KEY ("key")
);
CREATE TABLE transitions (
	uid VARCHAR NOT NULL,
	ticket VARCHAR NOT NULL,
	at DATETIME NOT NULL,
	from_status VARCHAR,
	to_status VARCHAR NOT NULL,
	actor VARCHAR,
	team VARCHAR,
	origin VARCHAR,
	PRIMARY KEY (uid)
);
CREATE TABLE webhook_deliveries (
	source VARCHAR NOT NULL,
	delivery VARCHAR NOT NULL,
	event VARCHAR,
	received_at DATETIME NOT NULL,
	body BLOB NOT NULL,
	processed_at DATETIME,
	error VARCHAR,
	PRIMARY KEY (source, delivery)
);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
