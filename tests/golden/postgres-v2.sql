-- Written by the version of 2026-11-25 (commit c9e7306), schema version 2.
CREATE SCHEMA {schema};
CREATE TABLE {schema}.action (
    task_id uuid NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    steps integer[] NOT NULL,
    by_whom text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    details json
);
CREATE TABLE {schema}.attempt (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer DEFAULT 0 NOT NULL,
    attempt integer NOT NULL,
    worker_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    claimed integer[],
    result json,
    error json
);
CREATE TABLE {schema}.fleet_limit (
    kind text NOT NULL,
    name text NOT NULL,
    concurrency integer,
    every bigint,
    next_start timestamp with time zone,
    CONSTRAINT fleet_limit_check CHECK (((concurrency IS NOT NULL) OR (every IS NOT NULL))),
    CONSTRAINT fleet_limit_concurrency_check CHECK ((concurrency >= 0)),
    CONSTRAINT fleet_limit_every_check CHECK ((every > 0)),
    CONSTRAINT fleet_limit_kind_check CHECK ((kind = ANY (ARRAY['namespace'::text, 'callable'::text])))
)
WITH (fillfactor='50');
CREATE TABLE {schema}.identity (
    hash bytea NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE {schema}.migration (
    version integer NOT NULL,
    works_with integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE {schema}.permit (
    kind text NOT NULL,
    name text NOT NULL,
    worker_id uuid NOT NULL,
    held integer NOT NULL,
    wanted integer NOT NULL,
    starved_since timestamp with time zone
)
WITH (fillfactor='50');
CREATE TABLE {schema}.step (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer DEFAULT 0 NOT NULL,
    template_id uuid NOT NULL,
    namespace text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    forgiven integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    rank bigint,
    worker_id uuid,
    claimed_at timestamp with time zone,
    CONSTRAINT step_check CHECK (((rank IS NOT NULL) = (state = ANY (ARRAY['ready'::text, 'waiting_for_retry'::text])))),
    CONSTRAINT step_check1 CHECK (((worker_id IS NOT NULL) = (state = 'in_progress'::text))),
    CONSTRAINT step_state_check CHECK ((state = ANY (ARRAY['ready'::text, 'in_progress'::text, 'waiting_for_retry'::text, 'error'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='2000', autovacuum_analyze_scale_factor='0.0', autovacuum_analyze_threshold='10000', autovacuum_vacuum_cost_delay='0');
CREATE TABLE {schema}.tag (
    tag text NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE {schema}.task (
    id uuid NOT NULL,
    template_id uuid NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    priority integer NOT NULL,
    correlation_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    worker_id uuid,
    claimed integer[],
    context json NOT NULL,
    origin json
);
CREATE TABLE {schema}.template (
    id uuid NOT NULL,
    namespace text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    snapshot text NOT NULL
);
CREATE TABLE {schema}.worker (
    id uuid NOT NULL,
    host text NOT NULL,
    process integer NOT NULL,
    version text NOT NULL,
    namespaces text[],
    handlers integer NOT NULL,
    concurrency integer NOT NULL,
    running integer NOT NULL,
    lease interval NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    idle_at timestamp with time zone
)
WITH (fillfactor='50');
INSERT INTO {schema}.action VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 1, 'complete', '{1}', 'ada', 'paid by hand', '2026-11-25 18:14:45.182543+00', NULL);
INSERT INTO {schema}.action VALUES ('01a213ea-cede-7361-8000-d5c9b35d9374', 1, 'cancel', '{}', 'ada', 'not wanted', '2026-11-25 18:14:45.396137+00', NULL);
INSERT INTO {schema}.action VALUES ('01a213ea-cfb5-7376-8000-b706083c4317', 1, 'give_up', '{}', 'ada', 'hopeless', '2026-11-25 18:14:45.5614+00', '{"original_state":"in_progress","waiting_for":"worker","dead_letter":"manual_dlq"}');
INSERT INTO {schema}.attempt VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', 0, 0, 1, '01a213ea-cd43-747e-9135-6902ad7c1ca7', '2026-11-25 18:14:44.813255+00', '2026-11-25 18:14:44.824484+00', 'complete', '{1,2}', '{"user_id":"usr_fdb3dbabf9985feb86fd4571","username":"jane_developer_94f13d","email":"done@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"7661b817da10561b90dc54f02345f17ab9a4ad1e1014552782055044d6bb1f1e","created_at":"2026-11-25T18:14:44.824407135Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', 1, 0, 1, '01a213ea-cd43-747e-9135-6902ad7c1ca7', '2026-11-25 18:14:44.826158+00', '2026-11-25 18:14:44.837496+00', 'complete', NULL, '{"billing_id":"bill_2c6848f81ef95fee9dd2","subscription_id":"sub_00ea215660fa5673b0ae","user_id":"usr_fdb3dbabf9985feb86fd4571","plan":"pro","billing_cycle":"monthly","monthly_price":29.99,"annual_price":299.9,"currency":"USD","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"trial_days":14,"trial_end_date":"2026-12-09T18:14:44.837408868Z","payment_method_required":true,"next_billing_date":"2026-12-09","price":29.99,"status":"trial","billing_status":"trial","created_at":"2026-11-25T18:14:44.837408868Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', 2, 0, 1, '01a213ea-cd43-747e-9135-6902ad7c1ca7', '2026-11-25 18:14:44.826125+00', '2026-11-25 18:14:44.837625+00', 'complete', '{3}', '{"preferences_id":"pref_cd7827dd68cb566cbaef","user_id":"usr_fdb3dbabf9985feb86fd4571","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T18:14:44.837486137Z","updated_at":"2026-11-25T18:14:44.837486137Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T18:14:44.837486137Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', 3, 0, 1, '01a213ea-cd43-747e-9135-6902ad7c1ca7', '2026-11-25 18:14:44.839405+00', '2026-11-25 18:14:44.850778+00', 'complete', '{4}', '{"user_id":"usr_fdb3dbabf9985feb86fd4571","plan":"pro","channels_used":["email","push","slack","in_app"],"messages_sent":5,"welcome_sequence_id":"welcome_076129673c28","status":"sent","sent_at":"2026-11-25T18:14:44.850680156Z","sequence_id":"seq_10f16dd2caec59a7","email":"done@example.com","notifications_sent":[{"type":"welcome","message_id":"msg_a4b686fc5b7c5513a2a46fa9","channel":"email","recipient":"done@example.com","subject":"Welcome to Tasker, Jane Developer!","template":"welcome_email","status":"sent","sent_at":"2026-11-25T18:14:44.850680156Z"},{"type":"trial_started","message_id":"msg_5258cb928bf45506b016e927","channel":"email","recipient":"done@example.com","subject":"Your Pro trial has started","template":"trial_started","status":"sent","sent_at":"2026-11-25T18:14:44.850680156Z"},{"type":"welcome","message_id":"msg_6652e4cf634d5086bd5d9f97","channel":"push","title":"Glad you are here","body":"You can start using your pro account now.","status":"delivered","sent_at":"2026-11-25T18:14:44.850680156Z"},{"type":"welcome","message_id":"msg_fd61a74fa59f50da827e247e","channel":"slack","channel_name":"#onboarding","message":"Jane Developer has joined on the pro plan","status":"delivered","sent_at":"2026-11-25T18:14:44.850680156Z"},{"type":"onboarding","message_id":"msg_d949c6d9d22858b49b827d15","channel":"in_app","title":"Complete your setup","body":"A few steps are left before your first project.","action_url":"/onboarding","status":"created","sent_at":"2026-11-25T18:14:44.850680156Z"}],"total_notifications":5,"all_delivered":true,"drip_campaign":{"campaign_id":"drip_bd020f1303535365","emails_scheduled":4,"schedule":[{"day":1,"template":"getting_started","subject":"Your first steps"},{"day":3,"template":"first_workflow","subject":"Build a first workflow"},{"day":7,"template":"tips_tricks","subject":"Tips for every day"},{"day":10,"template":"trial_reminder","subject":"Your trial ends in 4 days"}]},"welcome_sequence_completed_at":"2026-11-25T18:14:44.850680156Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', 4, 0, 1, '01a213ea-cd43-747e-9135-6902ad7c1ca7', '2026-11-25 18:14:44.852024+00', '2026-11-25 18:14:44.863378+00', 'complete', NULL, '{"user_id":"usr_fdb3dbabf9985feb86fd4571","status":"active","plan":"pro","registration_summary":{"user_id":"usr_fdb3dbabf9985feb86fd4571","username":"jane_developer_94f13d","email":"done@example.com","name":"Jane Developer","plan":"pro","billing_id":"bill_2c6848f81ef95fee9dd2","subscription_id":"sub_00ea215660fa5673b0ae","preferences_id":"pref_cd7827dd68cb566cbaef","monthly_price":29.99,"trial_end_date":"2026-12-09T18:14:44.837408868Z","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365}},"activation_timestamp":"2026-11-25T18:14:44.863320493Z","all_services_coordinated":true,"services_completed":["user_service","billing_service","preferences_service","notification_service"],"registration_complete":true,"registration_steps":{"account_created":true,"billing_configured":true,"preferences_initialized":true,"welcome_sequence_sent":true,"notifications_sent":5},"onboarding_score":100,"profile_summary":{"user_id":"usr_fdb3dbabf9985feb86fd4571","username":"jane_developer_94f13d","email":"done@example.com","name":"Jane Developer","plan":"pro","billing_id":"bill_2c6848f81ef95fee9dd2","subscription_id":"sub_00ea215660fa5673b0ae","preferences_id":"pref_cd7827dd68cb566cbaef","monthly_price":29.99,"trial_end_date":"2026-12-09T18:14:44.837408868Z","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365}},"next_steps":["complete_onboarding_checklist","create_first_project"],"activated_at":"2026-11-25T18:14:44.863320493Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cda1-72b1-8000-59633a0bbe62', 0, 0, 1, '01a213ea-cd9b-7525-a29e-aecc670d393d', '2026-11-25 18:14:44.903284+00', '2026-11-25 18:14:44.915506+00', 'complete', '{1,2}', '{"user_id":"usr_a07fe89ea92251768b531a3a","username":"jane_developer_79bcb6","email":"blocked@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"41615a1a38a6559286ef926e390b80170e61e3b516f856fab4de0b3843daecd7","created_at":"2026-11-25T18:14:44.915323537Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cda1-72b1-8000-59633a0bbe62', 1, 0, 1, '01a213ea-cd9b-7525-a29e-aecc670d393d', '2026-11-25 18:14:44.917125+00', '2026-11-25 18:14:44.928276+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the billing service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a213ea-cda1-72b1-8000-59633a0bbe62', 2, 0, 1, '01a213ea-cd9b-7525-a29e-aecc670d393d', '2026-11-25 18:14:44.917094+00', '2026-11-25 18:14:44.928373+00', 'complete', NULL, '{"preferences_id":"pref_4750799b28c155a89d98","user_id":"usr_a07fe89ea92251768b531a3a","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T18:14:44.9282913Z","updated_at":"2026-11-25T18:14:44.9282913Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T18:14:44.9282913Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 0, 0, 1, '01a213ea-cddb-7087-b048-1370de13724b', '2026-11-25 18:14:44.965144+00', '2026-11-25 18:14:44.975867+00', 'complete', '{1,2}', '{"user_id":"usr_611e39a67027541ab57ad90c","username":"jane_developer_2dcb59","email":"manual@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"9ae3573caf7954ceb16c14de1b91a527adc4dcd0f01553b396c32e79486ae53f","created_at":"2026-11-25T18:14:44.97578173Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 1, 0, 1, '01a213ea-cddb-7087-b048-1370de13724b', '2026-11-25 18:14:44.978011+00', '2026-11-25 18:14:44.989201+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the billing service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 2, 0, 1, '01a213ea-cddb-7087-b048-1370de13724b', '2026-11-25 18:14:44.977969+00', '2026-11-25 18:14:44.989227+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the preferences service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 1, 0, 0, '00000000-0000-0000-0000-000000000000', '2026-11-25 18:14:45.182543+00', '2026-11-25 18:14:45.182543+00', 'completed_manually', NULL, '{"billing_id":"b-golden","golden":true}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-d058-7273-8000-c02f10fd97d5', 0, 0, 1, '01a213ea-d051-70d0-9067-9a43982c3f1c', '2026-11-25 18:14:45.594463+00', '2026-11-25 18:14:45.605487+00', 'complete', '{1,2}', '{"user_id":"usr_d7d1f62c5d0e5883913a66bb","username":"jane_developer_70037d","email":"backoff@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"e53b1ca43dad5edd8cc9a029e1ebe69f2a1f8544588957d4bf9af4a8209a3466","created_at":"2026-11-25T18:14:45.605448146Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-d058-7273-8000-c02f10fd97d5', 1, 0, 1, '01a213ea-d051-70d0-9067-9a43982c3f1c', '2026-11-25 18:14:45.606664+00', '2026-11-25 18:14:45.617787+00', 'failed', NULL, NULL, '{"kind":"retryable","message":"the billing service is unavailable: 503 Service Unavailable"}');
INSERT INTO {schema}.attempt VALUES ('01a213ea-d058-7273-8000-c02f10fd97d5', 2, 0, 1, '01a213ea-d051-70d0-9067-9a43982c3f1c', '2026-11-25 18:14:45.606634+00', '2026-11-25 18:14:45.617825+00', 'complete', NULL, '{"preferences_id":"pref_ec6d3b1c6f21597ca4e4","user_id":"usr_d7d1f62c5d0e5883913a66bb","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T18:14:45.617804903Z","updated_at":"2026-11-25T18:14:45.617804903Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T18:14:45.617804903Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a213ea-d642-707d-8000-bc1c99437ef5', 0, 0, 1, '01a213ea-d63b-711a-9ef0-159e67d2cf74', '2026-11-25 18:14:47.111732+00', '2026-11-25 18:14:49.113375+00', 'complete', '{1,2}', '{"user_id":"usr_67d8045bfa795227b6fd49fd","username":"jane_developer_e2b4da","email":"killed@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"e9e99014e39351c282ee15c83d6162dc0d7580e9c17751639a302de97aeb3e4c","created_at":"2026-11-25T18:14:49.113287064Z"}', NULL);
INSERT INTO {schema}.fleet_limit VALUES ('callable', 'Golden::Nothing', 3, NULL, NULL);
INSERT INTO {schema}.identity VALUES ('\x1ae91a04d6545c84af0aefefce63dada08d9af59028f0a7253aa7ce142e95c1b', '01a213ea-e34f-7149-8000-f2177733bb58');
INSERT INTO {schema}.migration VALUES (1, 1, '2026-11-25 18:14:44.766964+00');
INSERT INTO {schema}.migration VALUES (2, 1, '2026-11-25 18:14:44.766964+00');
INSERT INTO {schema}.step VALUES ('01a213ea-cda1-72b1-8000-59633a0bbe62', 1, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'error', 1, 0, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', 2, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'error', 1, 0, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a213ea-d058-7273-8000-c02f10fd97d5', 1, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'waiting_for_retry', 1, 0, '2040-01-01 00:00:00+00', 2208988800000000, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a213ea-e332-7031-8000-85440711e908', 0, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'ready', 0, 0, '2040-01-01 00:00:00+00', 2208988800000000, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a213ea-e34f-7149-8000-f2177733bb58', 0, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'ready', 0, 0, NULL, 1795630070447329, NULL, NULL);
INSERT INTO {schema}.tag VALUES ('golden', '01a213ea-e332-7031-8000-85440711e908');
INSERT INTO {schema}.tag VALUES ('golden', '01a213ea-e34f-7149-8000-f2177733bb58');
INSERT INTO {schema}.tag VALUES ('ready', '01a213ea-e34f-7149-8000-f2177733bb58');
INSERT INTO {schema}.task VALUES ('01a213ea-cd4a-72e5-8000-1bc2f3e541fa', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'complete', 0, '01a213ea-cd4a-72e5-8000-1bc2f3e541fa', '2026-11-25 18:14:44.810741+00', '2026-11-25 18:14:44.863378+00', NULL, NULL, '{"user_info":{"email":"done@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-cda1-72b1-8000-59633a0bbe62', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'blocked_by_failures', 0, '01a213ea-cda1-72b1-8000-59633a0bbe62', '2026-11-25 18:14:44.897689+00', '2026-11-25 18:14:44.928373+00', '01a213ea-cd9b-7525-a29e-aecc670d393d', '{0}', '{"user_info":{"email":"blocked@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-cdde-717c-8000-1f6b16fd6aad', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'blocked_by_failures', 0, '01a213ea-cdde-717c-8000-1f6b16fd6aad', '2026-11-25 18:14:44.95838+00', '2026-11-25 18:14:44.989227+00', '01a213ea-cddb-7087-b048-1370de13724b', '{0}', '{"user_info":{"email":"manual@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-cede-7361-8000-d5c9b35d9374', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'cancelled', 0, '01a213ea-cede-7361-8000-d5c9b35d9374', '2026-11-25 18:14:45.214865+00', '2026-11-25 18:14:45.396137+00', NULL, NULL, '{"user_info":{"email":"cancelled@example.com","name":"C","plan":"pro"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-cfb5-7376-8000-b706083c4317', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'error', 0, '01a213ea-cfb5-7376-8000-b706083c4317', '2026-11-25 18:14:45.429886+00', '2026-11-25 18:14:45.5614+00', NULL, NULL, '{"user_info":{"email":"given-up@example.com","name":"G","plan":"pro"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-d058-7273-8000-c02f10fd97d5', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a213ea-d058-7273-8000-c02f10fd97d5', '2026-11-25 18:14:45.592627+00', NULL, '01a213ea-d051-70d0-9067-9a43982c3f1c', '{0}', '{"user_info":{"email":"backoff@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-d642-707d-8000-bc1c99437ef5', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a213ea-d642-707d-8000-bc1c99437ef5', '2026-11-25 18:14:47.106125+00', NULL, '01a213ea-d63b-711a-9ef0-159e67d2cf74', '{0}', '{"user_info":{"email":"killed@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a213ea-e332-7031-8000-85440711e908', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a213ea-e332-7031-8000-85440711e908', '2026-11-25 18:14:50.418049+00', NULL, NULL, NULL, '{"user_info":{"email":"later@example.com","name":"L","plan":"pro"}}', '{"tags":["golden"]}');
INSERT INTO {schema}.task VALUES ('01a213ea-e34f-7149-8000-f2177733bb58', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 7, '01a213ea-e34f-7149-8000-f2177733bb58', '2026-11-25 18:14:50.447329+00', NULL, NULL, NULL, '{"user_info":{"email":"ready@example.com","name":"R","plan":"pro"}}', '{"initiator":"ada","source_system":"tests","reason":"for the golden file","tags":["golden","ready"]}');
INSERT INTO {schema}.template VALUES ('67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'user_registration', '1.0.0', '{"name":"user_registration","namespace_name":"microservices","version":"1.0.0","description":"User registration workflow with microservices coordination","steps":[{"name":"create_user_account","description":"Create user account in user service with idempotency","type":"standard","handler":{"callable":"Microservices::StepHandlers::CreateUserAccountHandler"},"dependencies":[],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"setup_billing_profile","description":"Setup billing profile in billing service","type":"standard","handler":{"callable":"Microservices::StepHandlers::SetupBillingProfileHandler"},"dependencies":["create_user_account"],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"initialize_preferences","description":"Initialize user preferences in preferences service","type":"standard","handler":{"callable":"Microservices::StepHandlers::InitializePreferencesHandler"},"dependencies":["create_user_account"],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"send_welcome_sequence","description":"Send welcome emails via notification service","type":"standard","handler":{"callable":"Microservices::StepHandlers::SendWelcomeSequenceHandler"},"dependencies":["setup_billing_profile","initialize_preferences"],"retry":{"retryable":true,"max_attempts":2,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":20000}},{"name":"update_user_status","description":"Update user status to active in user service","type":"standard","handler":{"callable":"Microservices::StepHandlers::UpdateUserStatusHandler"},"dependencies":["send_welcome_sequence"],"retry":{"retryable":true,"max_attempts":2,"backoff":"exponential","backoff_base_ms":1000,"max_backoff_ms":30000}}],"lifecycle":{}}');
INSERT INTO {schema}.worker VALUES ('01a213ea-d051-70d0-9067-9a43982c3f1c', 'vm', 12103, '0.1.0', NULL, 5, 64, 0, '00:00:15', '2026-11-25 18:14:45.585881+00', '2026-11-25 18:14:45.585881+00', NULL);
INSERT INTO {schema}.worker VALUES ('01a213ea-d63b-711a-9ef0-159e67d2cf74', 'vm', 12114, '0.1.0', NULL, 5, 64, 0, '00:00:15', '2026-11-25 18:14:47.100142+00', '2026-11-25 18:14:47.100142+00', NULL);
ALTER TABLE ONLY {schema}.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (task_id, number);
ALTER TABLE ONLY {schema}.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (task_id, step, instance, attempt);
ALTER TABLE ONLY {schema}.fleet_limit
    ADD CONSTRAINT fleet_limit_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY {schema}.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY {schema}.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);
ALTER TABLE ONLY {schema}.permit
    ADD CONSTRAINT permit_pkey PRIMARY KEY (kind, name, worker_id);
ALTER TABLE ONLY {schema}.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (task_id, step, instance);
ALTER TABLE ONLY {schema}.tag
    ADD CONSTRAINT tag_pkey PRIMARY KEY (tag, task_id);
ALTER TABLE ONLY {schema}.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);
ALTER TABLE ONLY {schema}.template
    ADD CONSTRAINT template_pkey PRIMARY KEY (id);
ALTER TABLE ONLY {schema}.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);
CREATE INDEX action_given_up ON {schema}.action USING btree (task_id) WHERE (action = 'give_up'::text);
CREATE INDEX identity_task ON {schema}.identity USING btree (task_id);
CREATE INDEX permit_worker ON {schema}.permit USING btree (worker_id);
CREATE INDEX step_claimed ON {schema}.step USING btree (worker_id) WHERE (worker_id IS NOT NULL);
CREATE INDEX step_ready ON {schema}.step USING btree (rank, task_id, step) WHERE ((rank IS NOT NULL) AND (due_at IS NULL));
CREATE INDEX step_served ON {schema}.step USING btree (namespace, rank, task_id, step) WHERE ((rank IS NOT NULL) AND (due_at IS NULL));
CREATE INDEX step_waiting ON {schema}.step USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX tag_task ON {schema}.tag USING btree (task_id);
CREATE INDEX task_open ON {schema}.task USING btree (state, id) WHERE (state <> 'complete'::text);
