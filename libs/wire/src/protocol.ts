import { loadPackageDefinition, type ChannelOptions } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { descriptor } from './gen/descriptor';
import type { ProtoGrpcType as EnrollmentTypes } from './gen/enrollment';
import type { ProtoGrpcType as SessionTypes } from './gen/session';

const loaded = loadPackageDefinition(fromJSON(descriptor, { longs: String, enums: String, defaults: true, oneofs: true })) as unknown as EnrollmentTypes &
  SessionTypes;

/** The three services, from the descriptor inside the bundle: no .proto file is read at run time. */
export const { Enrollment, Renewal, Session } = loaded.strata.agent.v1;

/** The name in every server certificate: addresses may change, this does not. */
export const serverName = 'strata-server';

const keepalive: ChannelOptions = { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 10_000, 'grpc.keepalive_permit_without_calls': 1 };
export const serverOptions: ChannelOptions = { ...keepalive, 'grpc.max_receive_message_length': 4 << 20, 'grpc.max_send_message_length': 4 << 20 };
export const clientOptions: ChannelOptions = {
  ...serverOptions,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.ssl_target_name_override': serverName,
  'grpc.default_authority': serverName,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0, // else it goes through whatever http_proxy of this process's environment names
  'grpc.service_config_disable_resolution': 1,
};
